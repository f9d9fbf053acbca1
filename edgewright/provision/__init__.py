"""From a plan to running machines: tools, the lab's provider, Pulumi components, and `machines.json`."""

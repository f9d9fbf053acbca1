"""From a plan to running machines: tools, the lab's provider, Pulumi components, and `machines.json`.

For callers: `up.up`, `up.down`, `up.ready` (the environment for a bare pulumi), `status.status`,
`status.doctor`, `status.ssh`; progress is shown by `progress.Progress`; the text of a `ProvisionError` is
for the operator.
"""

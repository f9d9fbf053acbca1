"""What `edgewright_config` does on a host, part by part."""

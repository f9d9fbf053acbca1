"""The lab: systemd hosts in podman, made by Pulumi through a native provider of the project's own."""

"""The Pulumi program; everything is in `edgewright.provision`."""

from edgewright.provision.program import main

main()

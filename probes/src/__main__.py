"""Entry of probe.pyz."""

import sys

from edgewright_probe.main import main

sys.exit(main(sys.argv[1:]))

"""Entry point of certificates.pyz."""

import sys

from edgewright_certificates.cli import main

sys.exit(main())

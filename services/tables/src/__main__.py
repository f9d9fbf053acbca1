"""Entry of the zip application."""

import sys

from edgewright_tables.cli import main

sys.exit(main())

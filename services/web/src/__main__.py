"""Entry of the zip application."""

from edgewright_web.__main__ import main

main()

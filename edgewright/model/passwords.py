"""How a password comes in: asked for, or one line of standard input; never as an argument, never shown."""

from __future__ import annotations

import sys
from getpass import getpass

from edgewright.model.credentials import CredentialsError


def ask(address: str) -> str:
    """The new password of a user, asked for twice at a terminal.

    Raises:
        CredentialsError: the two differ, or standard input has no line.
    """
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        if not line:
            raise CredentialsError("standard input has no password; give it in one line")
        return line.rstrip("\r\n")
    first = getpass(f"New password of {address}: ")
    if getpass("The same again: ") != first:
        raise CredentialsError("the two passwords differ; nothing was changed")
    return first

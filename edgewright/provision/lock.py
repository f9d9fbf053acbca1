"""One `up` or `down` at a time in a clone."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from edgewright.provision.paths import Paths
from edgewright.provision.shell import ProvisionError


@contextmanager
def only_one(paths: Paths, what: str) -> Iterator[None]:
    """Hold the clone's lock; the kernel lets go of it however this process ends.

    Raises:
        ProvisionError: Another one is at work; says which and since when.
    """
    paths.state.mkdir(parents=True, exist_ok=True)
    with (paths.state / "lock").open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "another run"
            raise ProvisionError(
                f"already at work here: {holder}.\n"
                "  Wait for it, or end it; two at once would spoil each other's work."
            ) from None
        stream.truncate(0)
        stream.write(f"`{what}`, process {os.getpid()}, since {time.strftime('%H:%M:%S')}\n")
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)

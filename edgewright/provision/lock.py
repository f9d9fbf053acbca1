"""One `up` or `down` at a time in a clone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgewright.busy import HeldError, take
from edgewright.provision.paths import Paths
from edgewright.provision.shell import ProvisionError


@contextmanager
def only_one(paths: Paths, what: str) -> Iterator[None]:
    """Hold the clone's lock; the kernel lets go of it however this process ends.

    Raises:
        ProvisionError: Another one is at work; says which and since when.
    """
    paths.state.mkdir(parents=True, exist_ok=True)
    try:
        stream = take(paths.state / "lock", what)
    except HeldError as held:
        raise ProvisionError(
            f"already at work here: {held}.\n"
            "  Wait for it, or end it; two at once would spoil each other's work."
        ) from None
    with stream:
        try:
            yield
        finally:
            stream.truncate(0)

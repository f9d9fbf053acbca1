"""Whoever changes a deployment's hosts, or proves them, is alone with them: else the proof would be wrong.

One lock a deployment, in `.edgewright/<deployment>/`. It belongs to the process, which may take it again: a
proof that turns settings over applies policies itself.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FILE = "hosts.lock"


class BusyError(Exception):
    """Another program is at work with the deployment's hosts; nothing was done."""


_guard = threading.Lock()
_held: dict[Path, tuple[IO[str], int]] = {}


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Have the hosts of a deployment for oneself; the kernel lets go of the lock however this process ends.

    Args:
        folder: `.edgewright/<deployment>`.
        what: What is done with them, for whoever comes meanwhile.

    Raises:
        BusyError: another process has them; says what it does and since when.
    """
    path = folder.resolve() / FILE
    with _guard:
        stream, times = _held.get(path) or (_take(path, what), 0)
        _held[path] = stream, times + 1
    try:
        yield
    finally:
        with _guard:
            stream, times = _held.pop(path)
            if times > 1:
                _held[path] = stream, times - 1
            else:
                stream.truncate(0)
                stream.close()


class HeldError(Exception):
    """A lock is another process's; the message is what that one wrote of itself."""


def take(path: Path, what: str) -> IO[str]:
    """The file `path`, locked until it is closed; in it stand `what` is done and which process does it.

    Its folder must be there.

    Raises:
        HeldError: another process has it.
    """
    stream = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.seek(0)
        holder = stream.read().strip() or "another program"
        stream.close()
        raise HeldError(holder) from None
    stream.truncate(0)
    stream.write(f"`{what}`, process {os.getpid()}, since {time.strftime('%H:%M:%S')}")
    stream.flush()
    return stream


def _take(path: Path, what: str) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return take(path, what)
    except HeldError as held:
        raise BusyError(
            f"{held}, is at work with the hosts of {path.parent.name}; nothing was done.\n"
            "  Wait until it has ended: what is proven while it changes would be wrong."
        ) from None

"""What the role logs: its syslog socket is the test's."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

_REFUSED = re.compile(r"edgewright decision=refused (.*)")


class Journal:
    """Lines of the role under test, as they come.

    Args:
        path: Where its `/dev/log` is.
    """

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        self._socket.bind(str(path))
        path.chmod(0o666)
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._mark = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while data := self._socket.recv(65536):
            line = re.sub(
                r"^<\d+>.*?kamailio(\[\d+\])?: ", "", data.decode("utf-8", "replace").rstrip("\n\0")
            )
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()

    def mark(self) -> None:
        """A new test begins: older lines no longer count."""
        with self._changed:
            self._mark = len(self._lines)

    @property
    def lines(self) -> list[str]:
        """Lines since the test began."""
        with self._changed:
            return self._lines[self._mark :]

    @property
    def all(self) -> list[str]:
        """Lines since the role started."""
        with self._changed:
            return list(self._lines)

    def wait(self, pattern: str, timeout: float = 2) -> re.Match[str]:
        """The first line of this test that matches.

        Raises:
            AssertionError: none within `timeout` seconds.
        """
        compiled = re.compile(pattern)
        with self._changed:
            found: list[re.Match[str]] = []

            def seen() -> bool:
                found.extend(m for m in map(compiled.search, self._lines[self._mark :]) if m)
                return bool(found)

            if self._changed.wait_for(seen, timeout):
                return found[0]
        raise AssertionError(f"no line matches {pattern!r} in:\n" + "\n".join(self.lines))

    def refusals(self, call_id: str, timeout: float = 1) -> list[dict[str, str]]:
        """The refusals logged for a Call-ID, waiting for a first one: reason, party, method, status."""
        pattern = rf"edgewright decision=refused .*correlation={re.escape(_escaped(call_id))}( |$)"
        try:
            self.wait(pattern, timeout)
        except AssertionError:
            return []
        found = [_REFUSED.search(line) for line in self.lines if re.search(pattern, line)]
        return [dict(part.partition("=")[::2] for part in match[1].split()) for match in found if match]

    def close(self) -> None:
        """No more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _escaped(text: str) -> str:
    """As Kamailio's `{s.escape.param}` writes it."""
    return "".join(c if re.match(r"[A-Za-z0-9\-_.!~*'()\[\]/:&+$]", c) else f"%{ord(c):02x}" for c in text)

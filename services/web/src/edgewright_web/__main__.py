"""The daemon: `python3 web.pyz --site external --settings FILE --nonce-secret FILE`.

systemd hands over the listening socket (file descriptor 3), so that a restart refuses no connection, and is
told when the application is ready.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path

import uvicorn

from edgewright_web import app, log, xcap
from edgewright_web.files import MB
from edgewright_web.settings import Settings, load
from edgewright_web.store import Store

_FIRST_SOCKET = 3


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _notify("READY=1")


def _notify(message: str) -> None:
    """Tell systemd (sd_notify(3)); silently nothing where it does not ask."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(message.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


def _documents(settings: Settings) -> xcap.Documents | None:
    if settings.database is None:
        return None
    # Its library is asked for only where a database is.
    from edgewright_web.database import Documents  # noqa: PLC0415

    return Documents(settings.database)


def main() -> None:
    """Serve one site until told to stop."""
    parser = argparse.ArgumentParser(prog="edgewright-web")
    parser.add_argument("--site", choices=("external", "internal"), required=True)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--nonce-secret", type=Path, required=True, help="file with the pool's secret")
    parser.add_argument("--expire", action="store_true", help="only remove files that have expired")
    parser.add_argument("--check", action="store_true", help="only read the settings")
    arguments = parser.parse_args()
    try:
        settings = load(arguments.settings, arguments.nonce_secret)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{arguments.settings}: {type(error).__name__}: {error}")
    if arguments.expire and settings.files is not None:
        kept = settings.files
        gone = Store(kept.folder, kept.quota_mb * MB, kept.user_quota_mb * MB, kept.days * 86400).expire()
        log.event("files-expired", count=gone)
    if arguments.check or arguments.expire:
        return
    config = uvicorn.Config(
        app.create(settings, arguments.site, _documents(settings)),
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.exit("started without its socket: use the unit edgewright-web@.socket")
    listener = socket.socket(fileno=_FIRST_SOCKET)
    asyncio.run(_Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()

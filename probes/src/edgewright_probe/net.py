"""Finding and reaching a service as a client does: SRV, address of one family, TCP, TLS with all checks."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .observation import HaltError, Transcript

try:
    import dns.asyncresolver
    import dns.exception
    import dns.resolver

    HAS_DNS = True
except ImportError:  # hosts without Debian's dnspython can run every verb that asks no DNS server
    HAS_DNS = False

FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_ERRORS = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "no route",
    errno.ETIMEDOUT: "timeout",
    errno.ECONNRESET: "reset",
    errno.EACCES: "prohibited",
    errno.EPERM: "prohibited",
}


def word(error: BaseException) -> str:
    """A connection error in a word: refused, timeout, unreachable, no route, reset, prohibited."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "timeout"
    if isinstance(error, OSError) and error.errno in _ERRORS:
        return _ERRORS[error.errno]
    return str(error) or type(error).__name__


@dataclass(frozen=True)
class Target:
    """Where to connect: the address and port, and the name that the certificate must carry."""

    address: str
    port: int
    name: str

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.name} at {host}:{self.port}"


def is_address(text: str) -> bool:
    """Whether `text` is an IP literal."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


async def answers(name: str, kind: str, resolver: str | None, timeout: float) -> tuple[str, list[str]]:
    """DNS response code and the answers as zone-file text, sorted; from `resolver` or the system's."""
    asker = dns.asyncresolver.Resolver(configure=resolver is None)
    if resolver is not None:
        asker.nameservers = [resolver]
    try:
        answer = await asker.resolve(name + ".", kind, lifetime=timeout, search=False)
    except dns.resolver.NXDOMAIN:
        return "NXDOMAIN", []
    except dns.resolver.NoAnswer:
        return "NOERROR", []
    except dns.resolver.NoNameservers as error:
        return ("REFUSED" if "REFUSED" in str(error) else "SERVFAIL"), []
    except dns.exception.Timeout:
        return "TIMEOUT", []
    return "NOERROR", sorted(str(item).rstrip(".").lower() for item in answer)


async def find(arguments: dict[str, Any], transcript: Transcript) -> Target:
    """The target that `arguments` describe.

    `address` wins; else `server` (name) is looked up in `family`; else `srv` is looked up first. `name` is
    what the certificate must carry (default: the server's name), `resolver` an address, else the system's
    resolver.

    Raises:
        HaltError: at stage `resolve`.
    """
    port = arguments.get("port")
    server = arguments.get("server")
    timeout = float(arguments.get("timeout", 6))
    resolver = arguments.get("resolver")
    if not server and not arguments.get("address"):
        code, found = await answers(arguments["srv"], "SRV", resolver, timeout)
        transcript.add(f"SRV {arguments['srv']}: {code} {', '.join(found)}")
        if not found:
            raise HaltError("resolve", f"{arguments['srv']} SRV {code}")
        _, _, srv_port, server = min((x.split() for x in found), key=lambda x: (int(x[0]), -int(x[1])))
        port = port or int(srv_port)
    name = arguments.get("name") or server or arguments["address"]
    if arguments.get("address"):
        return Target(arguments["address"], int(port or 443), name)
    assert server is not None
    if is_address(server):
        return Target(server, int(port or 443), name)
    family = arguments.get("family", "ipv4")
    kind = "AAAA" if family == "ipv6" else "A"
    if HAS_DNS or resolver:
        code, found = await answers(server, kind, resolver, timeout)
    else:
        code, found = "NOERROR", await _system(server, family)
    transcript.add(f"{kind} {server}: {code} {', '.join(found)}")
    literals = [item for item in found if is_address(item)]
    if not literals:
        raise HaltError("resolve", f"{server} {kind} {code}")
    return Target(literals[0], int(port or 443), name)


async def _system(name: str, family: str) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            name, None, family=FAMILIES[family], type=socket.SOCK_STREAM
        )
    except socket.gaierror:
        return []
    return sorted({str(item[4][0]) for item in found})


async def connect(address: str, port: int, timeout: float) -> socket.socket:
    """A connected TCP socket.

    Raises:
        HaltError: at stage `connect`.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, (address, port)), timeout)
    except (OSError, TimeoutError) as error:
        sock.close()
        raise HaltError("connect", word(error)) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def context(arguments: dict[str, Any]) -> ssl.SSLContext:
    """A client context: chain and name checked against `trust` (PEM file), else the system's roots.

    `insecure` looks without checking (certificate cells judge the chain themselves); `maximum`/`minimum` are
    `TLSv1`, `TLSv1_1`, `TLSv1_2`, `TLSv1_3`; `alpn` a list; `certificate` a folder of the host on which the
    probe runs, with the `fullchain.pem` and `privkey.pem` to show.
    """
    trust = arguments.get("trust")
    return _context(
        trust if trust and Path(trust).exists() else None,
        bool(arguments.get("insecure")),
        arguments.get("minimum"),
        arguments.get("maximum"),
        tuple(arguments.get("alpn") or ()),
        arguments.get("certificate"),
    )


@lru_cache
def _context(
    trust: str | None, insecure: bool, minimum: str | None, maximum: str | None, alpn: tuple[str, ...],
    certificate: str | None,
) -> ssl.SSLContext:  # fmt: skip
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif trust:
        made.load_verify_locations(trust)
    else:
        made.load_default_certs()
    if maximum in ("TLSv1", "TLSv1_1"):
        # OpenSSL 3 offers these versions only below its default security level.
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = ssl.TLSVersion.TLSv1
    if minimum:
        made.minimum_version = ssl.TLSVersion[minimum]
    if maximum:
        made.maximum_version = ssl.TLSVersion[maximum]
    if certificate:
        folder = Path(certificate)
        made.load_cert_chain(folder / "fullchain.pem", folder / "privkey.pem")
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


async def open_tls(
    target: Target, arguments: dict[str, Any], transcript: Transcript
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TLS connection to `target`, verified as `arguments` say (see `context`); `sni` overrides the name.

    Raises:
        HaltError: at stage `connect` or `tls`.
        OSError: files of trust or certificate cannot be read; a fault of the probe, no refusal.
    """
    timeout = float(arguments.get("timeout", 6))
    secured = context(arguments)
    sock = await connect(target.address, target.port, timeout)
    transcript.add(f"connected to {target}")
    name = arguments.get("sni", target.name)
    try:
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(sock=sock, ssl=secured, server_hostname=name or "", limit=1 << 20),
            timeout,
        )
    except (OSError, TimeoutError, EOFError, ValueError) as error:
        sock.close()
        raise HaltError("tls", tls_word(error)) from error
    ssl_object = writer.get_extra_info("ssl_object")
    transcript.add(f"{ssl_object.version()} {ssl_object.cipher()[0]}")
    return reader, writer


def tls_word(error: BaseException) -> str:
    """A TLS failure in a few words, without OpenSSL's file and line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    return word(error)

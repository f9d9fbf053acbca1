"""TXT records for DNS-01 by dynamic update (RFC 2136) signed with TSIG (RFC 8945), on every server."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.tsig
import dns.tsigkeyring
import dns.update

from edgewright_certificates.pem import CertificateError

SECONDS = 120
"""So long is waited for a zone's other servers to show what was published."""
ANSWER = 5.0
"""Seconds for one answer."""
TTL = 60


class Updates:
    """The server that takes updates, and the key for it."""

    def __init__(self, server: str, key: str, secret: str, port: int = 53) -> None:
        """`secret` is in base64; the algorithm is hmac-sha256."""
        self._server, self._port = server, port
        try:
            self._ring = dns.tsigkeyring.from_text({key: secret.strip()})
        except ValueError as problem:
            raise CertificateError("the TSIG secret is not base64") from problem

    @contextlib.contextmanager
    def published(self, records: list[tuple[str, str]]) -> Iterator[None]:
        """The records (name, value) are there while the context lasts, on every server of their zones.

        Raises:
            CertificateError: the server refused them or did not answer, or another still has not got them.
        """
        zones: dict[dns.name.Name, list[tuple[dns.name.Name, str]]] = {}
        for name, value in records:
            target = followed(dns.name.from_text(name))
            zones.setdefault(self._zone(target), []).append((target, value))
        with contextlib.ExitStack() as there:
            for zone, mine in zones.items():
                self._change(zone, mine, add=True)
                there.callback(self._withdraw, zone, mine)
            for zone, mine in zones.items():
                self._wait(zone, mine)
            yield

    def _withdraw(self, zone: dns.name.Name, records: list[tuple[dns.name.Name, str]]) -> None:
        try:
            self._change(zone, records, add=False)
        except CertificateError as problem:
            sys.stderr.write(f"TXT records stay behind: {problem}\n")

    def _zone(self, name: dns.name.Name) -> dns.name.Name:
        """The zone of a name, as the server itself has it: what others see may be another view."""
        zone = name
        while zone != dns.name.root:
            answer = self._ask(self._server, zone, dns.rdatatype.SOA)
            if answer.flags & dns.flags.AA and any(r.rdtype == dns.rdatatype.SOA for r in answer.answer):
                return zone
            zone = zone.parent()
        raise CertificateError(f"{self._server} has no zone for {name.to_text(omit_final_dot=True)}")

    def _ask(self, server: str, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message:
        query = dns.message.make_query(name, kind, flags=0)
        try:
            answer, _ = dns.query.udp_with_fallback(query, server, ANSWER, self._port)
        except (OSError, dns.exception.DNSException) as problem:
            raise CertificateError(f"name server {server} does not answer: {problem}") from problem
        return answer

    def _change(self, zone: dns.name.Name, records: list[tuple[dns.name.Name, str]], *, add: bool) -> None:
        update = dns.update.UpdateMessage(zone, keyring=self._ring, keyalgorithm=dns.tsig.HMAC_SHA256)
        for name, value in records:
            if add:
                update.add(name, TTL, "TXT", f'"{value}"')
            else:
                update.delete(name, "TXT", f'"{value}"')
        try:
            answer = dns.query.tcp(update, self._server, ANSWER, self._port)
        except (OSError, dns.exception.DNSException) as problem:
            raise CertificateError(f"update of {zone} at {self._server}: {problem}") from problem
        if answer.rcode() != dns.rcode.NOERROR:
            raise CertificateError(f"update of {zone} at {self._server}: {dns.rcode.to_text(answer.rcode())}")

    def _wait(self, zone: dns.name.Name, records: list[tuple[dns.name.Name, str]]) -> None:
        """Every server of the zone that can be reached from here must have them."""
        missing = list(dict.fromkeys([self._server, *self._servers(zone)]))
        deadline = time.monotonic() + SECONDS
        while missing:
            missing = [server for server in missing if not self._shows(server, records)]
            if missing and time.monotonic() > deadline:
                raise CertificateError(f"{', '.join(missing)} did not show the new records of {zone}")
            time.sleep(0.5 if missing else 0)

    def _servers(self, zone: dns.name.Name) -> Iterator[str]:
        """Addresses of the zone's name servers."""
        answer = self._ask(self._server, zone, dns.rdatatype.NS)
        for rrset in answer.answer:
            for entry in rrset if rrset.rdtype == dns.rdatatype.NS else ():
                for kind in ("AAAA", "A"):
                    with contextlib.suppress(dns.exception.DNSException):
                        yield from (found.address for found in dns.resolver.resolve(entry.target, kind))

    def _shows(self, server: str, records: list[tuple[dns.name.Name, str]]) -> bool:
        """True also for a server that cannot be reached from here: nothing can be said of it."""
        for name, value in records:
            try:
                answer = self._ask(server, name, dns.rdatatype.TXT)
            except CertificateError as problem:
                sys.stderr.write(f"not waited for: {problem}\n")
                return True
            texts = {
                b"".join(entry.strings).decode()
                for rrset in answer.answer
                for entry in rrset
                if rrset.rdtype == dns.rdatatype.TXT
            }
            if value not in texts:
                return False
        return True


def followed(name: dns.name.Name) -> dns.name.Name:
    """Where a name is delegated by CNAME, for updates without access to its own zone; itself if nowhere."""
    for _ in range(8):
        try:
            name = dns.resolver.resolve(name, "CNAME")[0].target
        except dns.exception.DNSException:
            return name
    return name

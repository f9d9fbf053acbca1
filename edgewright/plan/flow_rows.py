"""The port tables as data: reference sections 3.1-3.5 and our own L rows.

Left out on purpose: E18 and E19 (Live Messenger, gone), E20 (not ours to pass), I13 (we follow DNS variant
B, N06), R05 (no Office Web Apps), R06 (contained in R01, whose source is anybody), R07 (proxies know their
backends from the plan), D06 (the same as I01 and I02), D08 (no static routes), D09 (aims at the Edge: I09),
D10 and D11 (balancers are other people's). L06 and L13 exist for existing hosts only: a machine that we
make has its clock from its host and its packages from its image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgewright.model.topology import Platform
from edgewright.plan.types import Kind

Protocols = tuple[Literal["tcp", "udp", "icmp"], ...]
TCP: Protocols = ("tcp",)
UDP: Protocols = ("udp",)
DNS: Protocols = ("udp", "tcp")
OUTER: tuple[Literal["host", "outer", "inner"], ...] = ("outer", "host")
INNER: tuple[Literal["host", "outer", "inner"], ...] = ("inner", "host")
HOST: tuple[Literal["host", "outer", "inner"], ...] = ("host",)
EDGE: tuple[Kind, ...] = ("edge",)
PROXY: tuple[Kind, ...] = ("reverse_proxy",)
DIRECTOR: tuple[Kind, ...] = ("director",)
FRONT_END: tuple[Kind, ...] = ("front_end",)


@dataclass(frozen=True, slots=True)
class Row:
    """One row, applied to each pool of the kinds `per` (None: once); its ends are selectors of `plan.flows`.

    `at` says which end runs the service that makes the flow active; `ports` in braces come from the topology;
    `platform` limits it to pools of that platform, `balancer` to pools behind a SIP balancer.
    """

    row: str
    per: tuple[Kind, ...] | None
    source: str
    target: str
    protocols: Protocols
    ports: str
    service: str
    path: tuple[Literal["host", "outer", "inner"], ...]
    why: str
    at: Literal["source", "target"] = "target"
    platform: Platform | None = None
    balancer: bool = False


ROWS = (
    Row("E01", EDGE, "any", "access", TCP, "{access}", "access", OUTER, "clients sign in and signal"),
    Row("E02", EDGE, "sip_partner", "access", TCP, "5061", "federation", OUTER, "partners and public IM, in"),
    Row("E03", EDGE, "access", "sip_partner", TCP, "5061", "federation", OUTER, "partners, out", "source"),
    Row(
        "E04",
        EDGE,
        "any",
        "web_conferencing",
        TCP,
        "{web_conferencing}",
        "web_conferencing",
        OUTER,
        "web conferencing data",
    ),
    Row("E05", EDGE, "any", "av", TCP, "{av}", "av", OUTER, "media candidates and TCP relay"),
    Row("E06", EDGE, "av", "any", TCP, "443", "av", OUTER, "media towards partners' Edges", "source"),
    Row("E07", EDGE, "any", "av", UDP, "3478", "av", OUTER, "media candidates and UDP relay"),
    Row("E08", EDGE, "av", "any", UDP, "3478", "av", OUTER, "media between Edges", "source"),
    Row("E09", EDGE, "av", "any", TCP, "{relay}", "av", OUTER, "relayed media, out", "source", "windows"),
    Row("E10", EDGE, "av", "any", UDP, "{relay}", "av", OUTER, "OCS 2007 partners, out", "source", "windows"),
    Row("E11", EDGE, "any", "av", TCP, "{relay}", "av", OUTER, "OCS 2007 partners, in", platform="windows"),
    Row("E12", EDGE, "any", "av", UDP, "{relay}", "av", OUTER, "OCS 2007 partners, in", platform="windows"),
    Row("E13", EDGE, "xmpp_partner", "access", TCP, "5269", "xmpp", OUTER, "XMPP partners, in"),
    Row("E14", EDGE, "access", "xmpp_partner", TCP, "5269", "xmpp", OUTER, "XMPP partners, out", "source"),
    Row("E15", EDGE, "access", "any", TCP, "80", "crl", OUTER, "revocation lists", "source", "windows"),
    Row("E16", EDGE, "access", "any", TCP, "53", "", OUTER, "names of partners and of the Internet"),
    Row("E17", EDGE, "access", "any", UDP, "53", "", OUTER, "names of partners and of the Internet"),
    Row("I01", EDGE, "servers_of_edge", "members_inner", TCP, "5061", "sip", INNER, "SIP, out"),
    Row("I02", EDGE, "members_inner", "next_hop", TCP, "5061", "sip", INNER, "SIP, in: to the next hop only"),
    Row("I03", EDGE, "media_servers", "av_members", TCP, "5062", "mras", INNER, "A/V authentication"),
    Row(
        "I04",
        EDGE,
        "media_servers",
        "web_conferencing_members",
        TCP,
        "8057",
        "web_conferencing",
        INNER,
        "web conferencing data",
    ),
    Row("I05", EDGE, "inside", "av_members", UDP, "3478", "av", INNER, "media, preferred"),
    Row("I06", EDGE, "inside", "av_members", TCP, "443", "av", INNER, "media fallback, files, desktop"),
    Row(
        "I07",
        EDGE,
        "servers_of_edge",
        "members_inner",
        TCP,
        "4443",
        "replication",
        INNER,
        "configuration replication",
        platform="windows",
    ),
    Row(
        "I08",
        EDGE,
        "xmpp_gateways",
        "members_inner",
        TCP,
        "23456",
        "xmpp",
        INNER,
        "XMPP gateway to its proxy",
    ),
    Row(
        "I09",
        EDGE,
        "inside",
        "members_inner",
        TCP,
        "50001-50003",
        "logging",
        INNER,
        "centralized logging (I09-I11)",
        platform="windows",
    ),
    Row(
        "I12",
        EDGE,
        "av_members",
        "inside",
        TCP,
        "443",
        "av",
        INNER,
        "balanced Edge only",
        "source",
        balancer=True,
    ),
    Row("R01", PROXY, "any", "members_outer", TCP, "443", "web_proxy", OUTER, "published web services"),
    Row("R02", PROXY, "any", "members_outer", TCP, "80", "web_proxy_http", OUTER, "redirect to HTTPS"),
    Row(
        "R03",
        FRONT_END,
        "proxies_of",
        "members_inner",
        TCP,
        "4443",
        "web_external",
        INNER,
        "bridged from 443",
    ),
    Row(
        "R04",
        FRONT_END,
        "proxies_of",
        "members_inner",
        TCP,
        "8080",
        "web_external_http",
        INNER,
        "bridged from 80",
    ),
    Row(
        "D01",
        DIRECTOR,
        "proxies_of",
        "members_inner",
        TCP,
        "8080",
        "web_external_http",
        INNER,
        "bridged from 80",
    ),
    Row(
        "D02", DIRECTOR, "proxies_of", "members_inner", TCP, "4443", "web_external", INNER, "bridged from 443"
    ),
    Row("D03", DIRECTOR, "members_inner", "front_ends", TCP, "444", "inter_server", HOST, "between servers"),
    Row(
        "D04", DIRECTOR, "inside", "members_inner", TCP, "80", "web_internal_http", HOST, "redirect to HTTPS"
    ),
    Row(
        "D05", DIRECTOR, "inside", "members_inner", TCP, "443", "web_internal", HOST, "internal web services"
    ),
    Row("D07", DIRECTOR, "inside", "members_inner", TCP, "5061", "sip", HOST, "SIP of clients inside"),
    Row("L15", FRONT_END, "inside", "members_inner", TCP, "5061", "sip", HOST, "SIP of clients inside"),
    Row("L16", None, "all_servers", "all_servers", TCP, "5061", "sip", HOST, "SIP between servers inside"),
    Row(
        "L17", FRONT_END, "inside", "members_inner", TCP, "443", "web_internal", HOST, "internal web services"
    ),
    Row(
        "L18", FRONT_END, "inside", "members_inner", TCP, "80", "web_internal_http", HOST, "redirect to HTTPS"
    ),
    Row("L02", ("dns",), "resolver_clients", "members_inner", DNS, "53", "dns", HOST, "names inside"),
    Row(
        "L03",
        (*EDGE, *PROXY),
        "acme_clients",
        "acme_directory",
        TCP,
        "{acme}",
        "acme",
        OUTER,
        "outside certificates (RFC 8555)",
    ),
    Row(
        "L04",
        (*EDGE, *PROXY),
        "acme_clients",
        "acme_dns",
        DNS,
        "53",
        "dns",
        OUTER,
        "answers to DNS-01 challenges (RFC 2136)",
    ),
    Row("L05", FRONT_END, "database_clients", "database", TCP, "5432", "postgresql", HOST, "database"),
    Row("L06", None, "existing", "any", UDP, "123", "", HOST, "time, existing hosts"),
    Row("L08", None, "any", "world", DNS, "53", "dns", HOST, "outside names, lab"),
    Row("L19", None, "partners_acme", "world", TCP, "{acme}", "acme", HOST, "partners' certificates, lab"),
    Row("L20", None, "any", "partners", TCP, "443", "partner", HOST, "users of the lab's partners"),
    Row("L21", None, "any", "partners", TCP, "5061", "partner", HOST, "Edges to the lab's partners"),
    Row("L10", EDGE, "any", "av", UDP, "{relay}", "av", OUTER, "relayed media, in", platform="linux"),
    Row("L11", EDGE, "av", "any", UDP, "{relay}", "av", OUTER, "relayed media, out", "source", "linux"),
    Row(
        "L12",
        (*EDGE, *DIRECTOR, *FRONT_END),
        "inside",
        "members_inner",
        TCP,
        "5986",
        "winrm",
        HOST,
        "administration over WinRM",
        platform="windows",
    ),
    Row("L13", None, "existing", "any", TCP, "80", "", HOST, "Debian packages, existing hosts"),
    Row("L09", ("dns",), "members_inner", "forwarders", DNS, "53", "", HOST, "other people's names"),
    Row("L14", PROXY, "members_outer", "resolvers", DNS, "53", "", OUTER, "outside names"),
)

"""Policy as data: the tables of each SIP host (house.md, rule 3 of the flow).

A value is `name=value;...`, so that a later column changes nothing for a reader of the others (a column
without a value is left out: Kamailio cannot read a row that has one):

| table | key | columns | on |
|---|---|---|---|
| `domains` | SIP domain | `class` = local, allowed, blocked, provider (below) | Edge, Director, Front End |
| `providers` | proxy FQDN | what the Edge needs of a provider (8.7), see below | Edge |
| `switches` | setting of the Access Edge configuration (8.2) | the value alone, `1` or `0` | Edge |
| `peers` | a name in an inside certificate | `role` = edge, director, front_end | Edge, Director, Front End |
| `users` | SIP address | `home` (pool), `enabled`, `outside` (8.3), `md5`, `sha256` | Director, Front End |
| | | and `federation`, `public`, `public_av`, `xmpp` (8.3), `files` (M17), `meeting_size` (8.4) | Front End |
| `im` | `max_message_size`, `accept`, `type:<type>` | bytes, list, `im` or `file` or `wrapper` | Front End |
| `web_setting` | setting of the Access Edge configuration | `1` or `0` alone | web services |
| `web_user` | SIP address | JSON: name, home, enabled, md5, sha256, policy (effective) | web services |

`domains`: an allowed one has `proxy` (where it is a direct partner) and `product`; a local one `shared=1`
where a hosting provider shares the address space; `provider` is the domain in which a provider's proxy
stands, with `kind` (public, hosting) and `proxy`: what it is taken for until its SRV record was looked at.
`providers`: `kind`, `name`, `enabled`, `provisioned`, `level` (of verification), `im`, `presence`, `audio`,
`video`, `lacks` (the reason for what it cannot), `ends` (seconds since 1970; left out: never), `shared`.
`switches` also has `federation` (whether this Edge is the organisation's federation route, G04),
`any_provider` (whether one is enabled) and `certificates_purged` (which of too many certificates make way).

Digests are H(user:realm:password). An Edge host gets no user at all; a Front End that is nobody's next hop
gets, of users homed elsewhere, only `home`. Which hosts there are, with their addresses, follows from the
plan and is in the roles' settings (`edgewright.plan.sip`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import Any, Protocol

from edgewright.model import Deployment
from edgewright.model.credentials import Credentials, Digest
from edgewright.model.directory import PolicyKind
from edgewright.model.policy import Conferencing, ExternalAccess
from edgewright.model.resolve import every_user
from edgewright.plan.types import Plan

SCHEMA = 1

WEB_POLICY: dict[PolicyKind, tuple[str, ...]] = {
    "external_access": (
        "enable_outside_access",
        "enable_federation_access",
        "enable_xmpp_access",
        "enable_public_cloud_access",
    ),
    "mobility": ("enable_mobility",),
    "conferencing": (
        "allow_anonymous_participants_in_meetings",
        "enable_p2p_file_transfer",
        "max_file_size_mb",
    ),
}
"""Effective settings that the web services enforce or show a user of his own policy."""
SWITCHES = (
    "allow_outside_users",
    "allow_anonymous_users",
    "allow_federated_users",
    "enable_partner_discovery",
    "discovered_partner_verification_level",
    "discovered_partner_standard_rate",
    "enable_discovered_partner_contacts_limit",
    "max_contacts_per_discovered_partner",
    "discovered_partner_report_period_minutes",
    "enable_archiving_disclaimer",
    "routing_method",
    "default_route_fqdn",
    "verification_level",
    "is_public_provider",
    "mark_source_verifiable_on_outgoing_messages",
    "outgoing_tls_count_for_federated_partners",
    "max_accepted_certificates_stored",
    "max_rejected_certificates_stored",
    "certificates_deleted_percentage",
)
"""Settings of the Access Edge configuration that act on an Edge."""

FILE_TYPE = "application/vnd.gsma.rcs-ft-http+xml"
"""A message of this type says where a file lies (RCC.07 3.5.4.8.3.1)."""

READERS = frozenset({"access_edge", "director", "front_end", "web_service"})
"""Roles that read tables."""


class HasTables(Protocol):
    """What of a host decides its tables (`HostPlan` has it)."""

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of its roles."""

    @property
    def pool(self) -> str | None:
        """FQDN of its pool."""


@dataclass(frozen=True)
class Table:
    """One table: text by text, ready for a host."""

    rows: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the canonical rows; the host computes the same."""
        return _sha256(dict(self.rows))


def make(deployment: Deployment, credentials: Credentials, host: HasTables) -> dict[str, Table]:
    """The tables of a host by name; empty where none of its roles reads any."""
    return _sip(deployment, credentials, host) | _web(deployment, credentials, host)


def of_plan(deployment: Deployment, credentials: Credentials, plan: Plan) -> dict[str, dict[str, Table]]:
    """All tables of every host that reads any: those of `make`, and those that follow from the plan."""
    made: dict[str, dict[str, Table]] = {}
    alike: dict[tuple[tuple[str, ...], str | None], dict[str, Table]] = {}
    for name, settings in plan.settings.items():
        host = plan.hosts[name]
        if host.platform != "linux" or not set(settings) & READERS:
            continue
        key = (tuple(sorted(set(settings) & READERS)), host.pool)
        if key not in alike:
            alike[key] = make(deployment, credentials, host)
        given = {
            table: Table(rows)
            for role in key[0]
            for table, rows in (settings[role].get("tables") or {}).items()
        }
        made[name] = alike[key] | given
    return made


def _sip(deployment: Deployment, credentials: Credentials, host: HasTables) -> dict[str, Table]:
    """Tables of the host's SIP role."""
    topology = deployment.topology
    peers = Table(dict(_peers(deployment)))
    if "access_edge" in host.roles:
        return {
            "domains": Table(dict(_domains(deployment))),
            "peers": peers,
            "providers": Table(dict(_providers(deployment))),
            "switches": Table(_switches(deployment) | _route(deployment, host)),
        }
    if "director" in host.roles:
        local = dict.fromkeys(topology.sip_domains, _local(deployment))
        users = _users(deployment, credentials, None, partners=False)
        return {"domains": Table(local), "peers": peers, "users": Table(dict(users))}
    if "front_end" in host.roles:
        next_hops = {edge.next_hop for site in topology.sites.values() for edge in site.edge}
        users = _users(deployment, credentials, None if host.pool in next_hops else host.pool)
        return {
            "domains": Table(dict(_domains(deployment))),
            "im": Table(dict(_im(deployment))),
            "peers": peers,
            "users": Table(dict(users)),
        }
    return {}


def _web(deployment: Deployment, credentials: Credentials, host: HasTables) -> dict[str, Table]:
    """Tables of the web services: any of them may be asked about any user (9a step 3)."""
    if "web_service" not in host.roles:
        return {}
    setting = {"allow_outside_users": _switches(deployment)["allow_outside_users"]}
    return {
        "web_setting": Table(setting),
        "web_user": Table(dict(_web_users(deployment, credentials))),
    }


def bundle(tables: Mapping[str, Table]) -> dict[str, Any]:
    """What `edgewright-tables stage` reads: schema, checksum, rows by table."""
    return {
        "schema": SCHEMA,
        "checksum": checksum(tables),
        "tables": {name: dict(table.rows) for name, table in sorted(tables.items())},
    }


def checksum(tables: Mapping[str, Table]) -> str:
    """Identity of all tables together, from their digests."""
    return _sha256({name: table.digest for name, table in tables.items()})


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _domains(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Blocked beats allowed (J06), allowed a provider's; the organisation's own domains beat all."""
    policies = deployment.policies
    for proxy, kind in _proxies(deployment):
        yield proxy.partition(".")[2], f"class=provider;kind={kind};proxy={proxy}"
    for allowed in policies.allowed_domains:
        direct = f";proxy={allowed.proxy_fqdn}" if allowed.proxy_fqdn else ""
        yield allowed.domain, f"class=allowed{direct};product={allowed.product}"
    for blocked in policies.blocked_domains:
        yield blocked.domain, "class=blocked"
    for domain in deployment.topology.sip_domains:
        yield domain, _local(deployment)


def _im(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """What a message may carry; what wraps others counts by what is wrapped, files have switches."""
    policy = deployment.policies.instant_messaging
    yield "max_message_size", str(policy.max_message_size)
    yield "accept", ", ".join(policy.content_types)
    for name in policy.content_types:
        yield f"type:{name}", {"message/cpim": "wrapper", FILE_TYPE: "file"}.get(name, "im")


def _local(deployment: Deployment) -> str:
    """A domain of ours; users who are not here may live with a hosting provider that shares it (8.7)."""
    hosting = deployment.policies.hosting_providers.values()
    shared = any(provider.enabled and provider.enabled_shared_address_space for provider in hosting)
    return "class=local;shared=1" if shared else "class=local"


def _proxies(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Proxies of hosting and public providers; the last one counts, as in `access.partners.classify`."""
    for _, hosting in sorted(deployment.policies.hosting_providers.items(), reverse=True):
        yield hosting.proxy_fqdn, "hosting"
    for _, public in sorted(deployment.policies.public_providers.items(), reverse=True):
        yield public.proxy_fqdn, "public"


def _providers(deployment: Deployment) -> Iterator[tuple[str, str]]:
    for name, hosting in sorted(deployment.policies.hosting_providers.items()):
        shared = hosting.enabled_shared_address_space
        row = f"kind=hosting;name={name};enabled={hosting.enabled:d};provisioned=1"
        row += f";level={hosting.verification_level};im=1;presence=1;audio=1;video=1;shared={shared:d}"
        yield hosting.proxy_fqdn, row
    for name, public in sorted(deployment.policies.public_providers.items()):
        can, last = public.can(), public.last_day()
        able = ";".join(f"{one}={one in can:d}" for one in ("im", "presence", "audio", "video"))
        # Of a named network X03 says what it lacks, of another one the description does.
        lacks = "provider-cannot" if public.network == "other" else "feature-not-supported"
        ends = (
            f";ends={datetime.combine(last + timedelta(days=1), time(), UTC).timestamp():.0f}" if last else ""
        )
        row = f"kind=public;name={name};enabled={public.enabled:d};provisioned={public.provisioned:d}"
        row += f";level={public.verification_level};{able};lacks={lacks}{ends};shared=0"
        yield public.proxy_fqdn, row


def _switches(deployment: Deployment) -> dict[str, str]:
    settings = deployment.policies.access_edge
    found = {name: getattr(settings, name) for name in SWITCHES}
    policies = deployment.policies
    found["any_provider"] = any(public.enabled for public in policies.public_providers.values()) or any(
        hosting.enabled for hosting in policies.hosting_providers.values()
    )
    # Of the certificates' digests in hexadecimal: those that begin so make way when there are too many.
    share = max(1, round(settings.certificates_deleted_percentage * 16 / 100))
    found["certificates_purged"] = f"^[{'0123456789abcdef'[:share]}]"
    return {
        name: "" if value is None else f"{value:d}" if isinstance(value, bool) else str(value)
        for name, value in found.items()
    }


def _route(deployment: Deployment, host: HasTables) -> dict[str, str]:
    """Whether partners are met at this Edge: there is one route for the organisation (G04)."""
    route = deployment.topology.routes.federation
    pools = {pool.pool: pool for site in deployment.topology.sites.values() for pool in site.edge}
    here = route is not None and host.pool == route and pools[route].federation
    return {"federation": f"{here:d}"}


def _peers(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Names that our SIP hosts' certificates carry: host and pool (K3, K6)."""
    topology = deployment.topology
    for _, role, pool in topology.pools():
        if role in ("edge", "director", "front_end"):
            yield pool.pool, f"role={role}"  # type: ignore[attr-defined]
            for host in pool.hosts:
                yield f"{host.name}.{topology.internal_domain}", f"role={role}"


def _users(
    deployment: Deployment, credentials: Credentials, only: str | None, *, partners: bool = True
) -> Iterator[tuple[str, str]]:
    """Everything about users of pool `only` and the home of the others; with None everything about all.

    `partners`: with what they may do with others.
    """
    conferencing = every_user(deployment, "conferencing") if partners else ()
    meetings = {address: _meetings(policy) for address, policy, _ in conferencing}
    directory = deployment.directory.users
    none = Digest("", "")
    default = _default_home(deployment)
    for address, policy, _ in every_user(deployment, "external_access"):
        home = directory[address].home or default
        if home is None:
            continue
        if only not in (None, home):
            yield address, f"home={home}"
            continue
        digest = credentials.users.get(address, none)
        may = _partners(policy) + meetings.get(address, "") if partners else ""
        yield address, _user(home, directory[address].enabled, policy, may, digest)


def _partners(policy: Any) -> str:
    """What a user may do with partners (8.3)."""
    assert isinstance(policy, ExternalAccess)
    return (
        f";federation={policy.enable_federation_access:d};public={policy.enable_public_cloud_access:d}"
        f";public_av={policy.enable_public_cloud_audio_video_access:d};xmpp={policy.enable_xmpp_access:d}"
    )


def _default_home(deployment: Deployment) -> str | None:
    """`Deployment.home` of whoever has none of his own, found once."""
    pools = deployment.front_ends()
    return pools[0].pool if len(pools) == 1 else None


def _web_users(deployment: Deployment, credentials: Credentials) -> Iterator[tuple[str, str]]:
    directory = deployment.directory.users
    default = _default_home(deployment)
    none = Digest("", "")
    effective: dict[str, dict[str, bool | int]] = {address: {} for address in directory}
    for kind, settings in WEB_POLICY.items():
        for address, policy, _ in every_user(deployment, kind):
            effective[address] |= {name: getattr(policy, name) for name in settings}
    for address, values in effective.items():
        digest = credentials.users.get(address, none)
        value = {
            "name": directory[address].name,
            "home": directory[address].home or default or "",
            "enabled": directory[address].enabled,
            "md5": digest.md5,
            "sha256": digest.sha256,
            "policy": values,
        }
        yield address, json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _meetings(policy: Any) -> str:
    """What a user's conferencing policy says of files (M17) and of his meetings (8.4)."""
    assert isinstance(policy, Conferencing)
    return f";files={policy.enable_p2p_file_transfer:d};meeting_size={policy.max_meeting_size}"


def _user(home: str, enabled: bool, policy: Any, may: str, digest: Digest) -> str:
    outside = isinstance(policy, ExternalAccess) and policy.enable_outside_access
    row = f"home={home};enabled={enabled:d};outside={outside:d}{may}"
    if digest.md5:
        row += f";md5={digest.md5};sha256={digest.sha256}"
    return row

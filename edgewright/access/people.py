"""Who may come in, and who may be reached: accounts, entry from outside, mobile clients, guests, callees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgewright.access.request import domain
from edgewright.model import resolve

if TYPE_CHECKING:
    from edgewright.access.decision import Trail
    from edgewright.access.request import Request
    from edgewright.model.deployment import Deployment
    from edgewright.model.directory import PolicyKind
    from edgewright.model.topology import EdgePool, Family, ProxyPool, Site


def is_ours(deployment: Deployment, address: str) -> bool:
    """Whether the address is in one of our SIP domains."""
    return domain(address) in deployment.topology.sip_domains


def policy_path(kind: PolicyKind, origin: str, setting: str) -> tuple[str, ...]:
    """Where a setting of an effective policy is written; origin: `user:<tag>`, `site:<name>`, `global`."""
    return (kind, *origin.split(":", 1), setting)


def user_setting(
    trail: Trail,
    deployment: Deployment,
    kind: PolicyKind,
    address: str,
    setting: str,
    source: str,
    reason: str,
) -> None:
    """One boolean of a user's effective policy (J01) that must be true."""
    if address not in deployment.directory.users:
        return
    policy, origin = resolve.effective(deployment, kind, address)
    trail.setting(policy_path(kind, origin, setting), getattr(policy, setting), source, reason)


def account(trail: Trail, deployment: Deployment, request: Request) -> None:
    """The asker's account: known, password right, enabled; in the order in which it is looked at."""
    address = request.who or ""
    known = address in deployment.directory.users
    trail.user(address, "known", known, "9a.7", "unknown-user")
    trail.fact("password_proven", request.password_proven, request.password_proven, "9a.7", "wrong-password")
    if known:
        trail.user(
            address, "enabled", deployment.directory.users[address].enabled, "9a.7", "account-disabled"
        )


def families(deployment: Deployment, site: Site, pool: EdgePool | ProxyPool) -> tuple[Family, ...]:
    """IP families in which a pool listens to the outside (S03, S14)."""
    network = deployment.topology.networks.get(site.network("perimeter_out"))
    found: list[Family] = []
    if network is None or network.ipv4 is not None:
        found.append("ipv4")
    if getattr(pool, "external_ipv6", None) is not False and (network is None or network.ipv6 is not None):
        found.append("ipv6")
    return tuple(found)


def edge(trail: Trail, deployment: Deployment, request: Request) -> None:
    """There is an Edge to come in through, and it listens in the asker's family."""
    pools = [(site, pool) for site in deployment.topology.sites.values() for pool in site.edge]
    trail.topology("edge", [pool.pool for _, pool in pools], bool(pools), "T1", "edge-not-deployed")
    if pools and request.family:
        listening = sorted({family for site, pool in pools for family in families(deployment, site, pool)})
        trail.topology("edge.families", listening, request.family in listening, "S14", "no-common-family")


def published(trail: Trail, deployment: Deployment, request: Request, address: str | None) -> None:
    """A reverse proxy publishes the web services of the user's home pool (or of any pool, for guests)."""
    home = deployment.home(address) if address in deployment.directory.users else None
    pools = [pool for pool in deployment.front_ends() if home is None or pool.pool == home]
    names = [pool.external_web for pool in pools if pool.external_web]
    found: list[str] = []
    listening: set[Family] = set()
    for site in deployment.topology.sites.values():
        for proxy in site.reverse_proxy:
            served = [name for name in names if not proxy.publishes or name in proxy.publishes]
            if served:
                found += served
                listening |= set(families(deployment, site, proxy))
    trail.topology("reverse_proxy.publishes", sorted(set(found)), bool(found), "T5", "web-not-published")
    if found and request.family:
        ok = request.family in listening
        trail.topology("reverse_proxy.families", sorted(listening), ok, "S14", "no-common-family")


def outside_users(trail: Trail, deployment: Deployment) -> None:
    """The organisation's switch for everybody who comes from outside (C6: remote and anonymous)."""
    value = deployment.policies.access_edge.allow_outside_users
    trail.setting(("access_edge", "allow_outside_users"), value, "J03, 8.2", "outside-users-off")


def enter(trail: Trail, deployment: Deployment, request: Request) -> None:
    """An own user comes in: from inside, from outside, or with a mobile client (table 8.1)."""
    if request.party == "remote":
        edge(trail, deployment, request)
        outside_users(trail, deployment)
    elif request.party == "mobile":
        # The switch is documented for the Access Edge only; that it stops phones too is our choice (C18).
        published(trail, deployment, request, request.who)
        outside_users(trail, deployment)
    account(trail, deployment, request)
    address = request.who or ""
    if request.party in ("remote", "mobile"):
        user_setting(
            trail,
            deployment,
            "external_access",
            address,
            "enable_outside_access",
            "J03, 8.3",
            "outside-access-off",
        )
    if request.party == "mobile":
        _mobile(trail, deployment, address)
    if request.party == "remote" and request.client == "windows_store":
        trail.note("X11", "the Windows Store app finds its server by Autodiscover only")
        published(trail, deployment, request, address)


def _mobile(trail: Trail, deployment: Deployment, address: str) -> None:
    user_setting(trail, deployment, "mobility", address, "enable_mobility", "8.1, 8.6", "mobility-off")
    if address not in deployment.directory.users:
        return
    home = deployment.home(address)
    if home is not None:
        service, origin = resolve.configuration(deployment, "mobility_service", home)
        path = ("mobility_service", *origin.split(":", 1), "exposed_web_url")
        trail.setting(
            path,
            service.exposed_web_url,
            "J02, 8.6",
            "mobility-inside-only",
            wanted="external",
            closed="internal",
        )
    trail.note("X10", "without contact to the server the session ends: see session_expiration_interval")


def registered(trail: Trail, request: Request) -> None:
    """The sender has signed in on this connection."""
    trail.fact("registered", request.registered, request.registered, "9a.8", "not-registered")


def callee(trail: Trail, deployment: Deployment, request: Request, address: str) -> None:
    """One of ours can be reached; an unknown one may live with a hosting provider that shares our domain."""
    users = deployment.directory.users
    if address not in users:
        _elsewhere(trail, deployment, address)
        return
    trail.user(address, "enabled", users[address].enabled, "9a.7", "callee-unavailable")
    value = request.callee_available
    trail.fact("callee_available", value, value, "9a.8", "callee-unavailable")


def _elsewhere(trail: Trail, deployment: Deployment, address: str) -> None:
    """An unknown local user is forwarded to a hosting provider that shares our domain, not refused (8.7)."""
    providers = deployment.policies.hosting_providers
    sharing = [name for name in sorted(providers) if providers[name].enabled_shared_address_space]
    serving = [name for name in sharing if providers[name].enabled]
    if not serving:
        trail.user(address, "known", False, "9a.7", "callee-unavailable")
        for name in sharing:
            path = ("hosting_providers", name, "enabled")
            trail.setting(path, value=False, source="8.7", reason="callee-unavailable")
        return
    for name in serving:
        trail.setting(("hosting_providers", name, "enabled"), True, "8.7", "provider-off")
        path = ("hosting_providers", name, "enabled_shared_address_space")
        trail.setting(path, True, "8.7", "callee-unavailable")
    value = deployment.policies.access_edge.allow_federated_users
    trail.setting(
        ("access_edge", "allow_federated_users"), value, "8.2 (split domain)", "federated-users-off"
    )

"""Crossing to and from other organisations: partners, providers, discovery (9d, 9e, J03, J06, J07, J10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edgewright.access.people import user_setting
from edgewright.access.request import domain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgewright.access.decision import Trail
    from edgewright.access.request import Request
    from edgewright.model.deployment import Deployment
    from edgewright.model.policy import AllowedDomain, Capability, PublicProvider, XmppPartner

Class = Literal["federated", "xmpp", "public"]

NEEDS: dict[str, Capability] = {
    "M01": "presence",
    "M02": "im",
    "M31": "im",
    "M14": "audio",
    "M15": "audio",
    "M14-video": "video",
}
"""What a public provider must be able to do for a feature (X03); it can do nothing else (X01)."""

_POLICY: dict[Class, tuple[str, str]] = {
    "federated": ("enable_federation_access", "federation-access-off"),
    "xmpp": ("enable_xmpp_access", "xmpp-access-off"),
    "public": ("enable_public_cloud_access", "public-access-off"),
}


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a foreign domain is to us. Of `allowed`, `partner`, `public`, `hosting` at most one is given."""

    domain: str
    kind: Class
    allowed: AllowedDomain | None = None
    partner: XmppPartner | None = None
    public: str | None = None
    hosting: str | None = None
    default_route: bool = False


def classify(
    deployment: Deployment, name: str, srv_target: str | None = None, *, xmpp: bool | None = None
) -> Foreign:
    """The class of a foreign domain (9d, trust modes).

    A provider's domains are those whose federation SRV leads to its proxy; where `srv_target` is not given,
    the domain in which the provider's proxy stands is taken for its own. `xmpp` says over which protocol
    somebody comes from there; None: as the lists have it.
    """
    policies = deployment.policies
    partner = next((entry for entry in policies.xmpp_partners if name in entry.domains), None)
    if xmpp or (xmpp is None and partner is not None):
        return Foreign(name, "xmpp", partner=partner)
    allowed = next((entry for entry in policies.allowed_domains if entry.domain == name), None)
    if allowed is not None:
        return Foreign(name, "federated", allowed=allowed)

    def leads_to(proxy: str) -> bool:
        return proxy == srv_target if srv_target else proxy.partition(".")[2] == name

    for public, provider in sorted(policies.public_providers.items()):
        if leads_to(provider.proxy_fqdn):
            return Foreign(name, "public", public=public)
    for hosting, host in sorted(policies.hosting_providers.items()):
        if leads_to(host.proxy_fqdn):
            return Foreign(name, "federated", hosting=hosting)
    if policies.access_edge.routing_method == "use_default_routing":
        kind: Class = "public" if policies.access_edge.is_public_provider else "federated"
        return Foreign(name, kind, default_route=True)
    return Foreign(name, "federated")


def cross(
    trail: Trail,
    deployment: Deployment,
    request: Request,
    ours: str,
    foreign: Foreign,
    *,
    inbound: bool,
    person: bool,
) -> None:
    """Everything that must agree for one of ours and somebody of a foreign domain.

    Outbound the user's policy is looked at first, by the Front End; inbound last (9d). `person`: the
    recipient is one person, who may take messages from contacts only.
    """
    if not inbound:
        _user(trail, deployment, request, ours, foreign)
    _organisation(trail, deployment, foreign)
    _admission(trail, deployment, request, foreign)
    _peer(trail, deployment, request, foreign, inbound=inbound)
    if inbound:
        _limits(trail, deployment, request, foreign)
    if inbound and person:
        _verification(trail, deployment, request, foreign)
    if inbound:
        _user(trail, deployment, request, ours, foreign)
    else:
        trail.fact("peer_agrees", request.peer_agrees, request.peer_agrees, "J07", "peer-refused")
    if person:
        value = request.recipient_accepts
        trail.fact("recipient_accepts", value, value, "J09", "recipient-refused")


def _user(trail: Trail, deployment: Deployment, request: Request, ours: str, foreign: Foreign) -> None:
    setting, reason = _POLICY[foreign.kind]
    user_setting(trail, deployment, "external_access", ours, setting, "J03, 8.3", reason)
    if foreign.kind == "public" and NEEDS.get(request.feature) in ("audio", "video"):
        setting = "enable_public_cloud_audio_video_access"
        user_setting(trail, deployment, "external_access", ours, setting, "8.1, 8.3", "public-media-off")


def _organisation(trail: Trail, deployment: Deployment, foreign: Foreign) -> None:
    routes, policies = deployment.topology.routes, deployment.policies
    if foreign.kind == "xmpp":
        trail.topology("routes.xmpp", routes.xmpp, routes.xmpp is not None, "8.1, C13", "xmpp-not-deployed")
        trail.note("X06", "XMPP carries messages and presence between two people, nothing else")
    else:
        route = routes.federation
        trail.topology("routes.federation", route, route is not None, "8.1, G04", "federation-not-deployed")
    value = policies.access_edge.allow_federated_users
    trail.setting(("access_edge", "allow_federated_users"), value, "J03, 8.2", "federated-users-off")
    # What is blocked is blocked below, too; allowed matches exactly (decision 7).
    above = set(_above(foreign.domain))
    found = [entry.domain for entry in policies.blocked_domains if entry.domain in above]
    name = found[0] if found else foreign.domain
    trail.listed("blocked_domains", name, bool(found), "J06", "domain-blocked", ok=not found)


def _above(domain: str) -> Iterator[str]:
    """The domain and those above it."""
    while domain:
        yield domain
        domain = domain.partition(".")[2]


def _peer(trail: Trail, deployment: Deployment, request: Request, foreign: Foreign, *, inbound: bool) -> None:
    """The partner's Access Edge: found, itself and there; who comes from there need only be himself."""
    if not inbound:
        value = request.peer_found
        trail.fact("peer_found", value, value, "9d, Q04", "partner-not-found")
    value = request.peer_trusted
    trail.fact("peer_trusted", value, value, "9d, X07", "untrusted-peer")
    if not inbound:
        value = request.peer_answers
        trail.fact("peer_answers", value, value, "9d", "partner-down")
    edges = [pool for site in deployment.topology.sites.values() for pool in site.edge]
    old = foreign.public is not None or (
        foreign.allowed is not None and foreign.allowed.product.startswith("ocs")
    )
    if old and any(len(pool.hosts) > 1 and pool.sip_balancing == "dns" for pool in edges):
        trail.note(
            "X08", "this peer knows only the first Edge that answers: it does not fail over to another (G07)"
        )


def _admission(trail: Trail, deployment: Deployment, request: Request, foreign: Foreign) -> None:
    """The list, the provider or the discovery that lets the domain in."""
    policies, edge = deployment.policies, deployment.policies.access_edge
    if foreign.kind == "xmpp":
        present = foreign.partner is not None
        trail.listed("xmpp_partners", foreign.domain, present, "8.1", "domain-not-federated", ok=present)
        if not present and any(entry.domain == foreign.domain for entry in policies.allowed_domains):
            trail.listed("allowed_domains", foreign.domain, True, "8.7", "domain-not-federated", ok=False)
    elif foreign.allowed is not None:
        trail.listed("allowed_domains", foreign.domain, True, "J06", None)
    elif foreign.public is not None:
        _provider(trail, request, foreign.public, deployment.policies.public_providers[foreign.public])
    elif foreign.hosting is not None:
        enabled = deployment.policies.hosting_providers[foreign.hosting].enabled
        trail.setting(("hosting_providers", foreign.hosting, "enabled"), enabled, "8.1, J10", "provider-off")
    elif foreign.default_route:
        path = ("access_edge", "routing_method")
        trail.setting(path, edge.routing_method, "J10", "domain-not-federated", wanted="use_default_routing")
    elif any(foreign.domain in entry.domains for entry in policies.xmpp_partners):
        # Over SIP, from a domain that is an XMPP partner: it can only be one of the two.
        trail.listed("xmpp_partners", foreign.domain, True, "8.7", "domain-not-federated", ok=False)
        trail.listed("allowed_domains", foreign.domain, False, "J06", "domain-not-federated", ok=False)
    else:
        found = edge.enable_partner_discovery
        if not found:
            trail.listed("allowed_domains", foreign.domain, False, "J06", "domain-not-federated", ok=False)
        trail.setting(("access_edge", "enable_partner_discovery"), found, "8.1, J10", "domain-not-federated")


def _limits(trail: Trail, deployment: Deployment, request: Request, foreign: Foreign) -> None:
    """What only discovered partners are held to (8.2)."""
    known = (foreign.allowed, foreign.partner, foreign.public, foreign.hosting)
    if foreign.kind == "xmpp" or foreign.default_route or any(known):
        return
    value = request.within_rate
    trail.fact("within_rate", value, value, "8.2, 9d", "partner-too-fast")
    if deployment.policies.access_edge.enable_discovered_partner_contacts_limit:
        value = request.within_contacts
        trail.fact("within_contacts", value, value, "8.2, 9d", "partner-too-many-contacts")


def _provider(trail: Trail, request: Request, name: str, provider: PublicProvider) -> None:
    path = ("public_providers", name)
    trail.setting((*path, "enabled"), provider.enabled, "8.1, J10", "provider-off")
    trail.setting((*path, "provisioned"), provider.provisioned, "8.1", "provider-not-provisioned")
    last = provider.last_day()
    if last is not None and request.on is not None:
        trail.setting(
            (*path, "ends"), str(last), "X04", "provider-ended", wanted=str(request.on), ok=request.on <= last
        )
    if provider.network == "yahoo":
        trail.fact("licensed", request.licensed, request.licensed, "X05", "provider-not-provisioned")
    if provider.network == "aol":
        trail.note("X05", "the Access Edge's outside certificate needs clientAuth for this provider")
    needed = NEEDS.get(request.feature)
    if needed is not None:
        able = tuple(sorted(provider.can()))
        if needed not in able and provider.network != "other":
            trail.row(
                "X03" if needed == "audio" or provider.network == "skype" else "X02",
                needed,
                "feature-not-supported",
            )
        else:
            wanted = able if needed in able else (*able, needed)
            less = tuple(one for one in able if one != needed)
            trail.setting((*path, "capabilities"), able, "X03", "provider-cannot", wanted=wanted, closed=less)


def _verification(trail: Trail, deployment: Deployment, request: Request, foreign: Foreign) -> None:
    """Whether the sender is verified enough to reach a person (8.7); allowed domains are."""
    policies = deployment.policies
    if foreign.partner is not None:
        path: tuple[str, ...] = ("xmpp_partners", foreign.partner.domain, "partner_type")
        _contact(
            trail,
            request,
            path,
            foreign.partner.partner_type,
            "federated",
            foreign.partner.partner_type != "public_unverified",
        )
        return
    if foreign.kind == "xmpp" or foreign.allowed is not None:
        return
    if foreign.public is not None:
        path = ("public_providers", foreign.public, "verification_level")
        level = policies.public_providers[foreign.public].verification_level
    elif foreign.hosting is not None:
        path = ("hosting_providers", foreign.hosting, "verification_level")
        level = policies.hosting_providers[foreign.hosting].verification_level
    elif foreign.default_route:
        path, level = ("access_edge", "verification_level"), policies.access_edge.verification_level
    else:
        path = ("access_edge", "discovered_partner_verification_level")
        level = policies.access_edge.discovered_partner_verification_level
    if level == "use_source_verification" and request.mark == "none" and not foreign.default_route:
        trail.setting(path, level, "8.7", "source-unverified", wanted="always_verifiable")
        trail.fact("mark", request.mark, False, "8.7", "source-unverified", flip="verifiable")
        return
    marked = level == "use_source_verification" and request.mark == "verifiable"
    _contact(trail, request, path, level, "always_verifiable", marked or level == "always_verifiable")


def _contact(
    trail: Trail, request: Request, path: tuple[str, ...], value: str, open_value: str, verified: bool
) -> None:
    ok = verified or request.contact
    trail.setting(path, value, "8.7", "not-a-contact", wanted=open_value, ok=ok)
    if not verified:
        trail.fact("contact", request.contact, request.contact, "8.7", "not-a-contact")


def product(trail: Trail, foreign: Foreign, row: str) -> None:
    """Whether the partner's product can do M17 (files) or M18 (sharing); unlisted: taken for current."""
    if foreign.allowed is None:
        return
    value = foreign.allowed.product
    able = value in ("lync_2010", "lync_2013") or (row == "M18" and value == "ocs_2007_r2")
    path = ("allowed_domains", foreign.domain, "product")
    trail.setting(path, value, row, "partner-too-old", wanted="lync_2013", closed="ocs_2007", ok=able)


def foreign_of(deployment: Deployment, request: Request) -> Foreign | None:
    """The foreign side of a request, None where both sides are ours or there is no other side."""
    if request.party in ("federated", "public", "xmpp"):
        if request.who is None:
            raise ValueError(f"a request of {request.party} needs `who`, a foreign address")
        return classify(deployment, domain(request.who), request.srv_target, xmpp=request.party == "xmpp")
    if request.to is not None and domain(request.to) not in deployment.topology.sip_domains:
        return classify(deployment, domain(request.to), request.srv_target)
    return None

"""Properties of decisions over random policies and questions (issue 4)."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from access_world import house
from hypothesis import HealthCheck, Phase, assume, find, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edgewright.access import partners
from edgewright.access.decide import decide
from edgewright.access.features import FEATURES
from edgewright.access.reasons import REASONS
from edgewright.access.request import PARTIES, Meeting, Party, Request, domain
from edgewright.model import policy as vocabulary
from edgewright.model.deployment import Deployment
from edgewright.model.directory import Directory
from edgewright.model.policy import Policies
from edgewright.model.setting import PolicyObject, describe

if TYPE_CHECKING:
    from collections.abc import Iterator

SCOPED: dict[str, tuple[type[PolicyObject], str]] = {
    "external_access": (vocabulary.ExternalAccess, "user"),
    "conferencing": (vocabulary.Conferencing, "user"),
    "mobility": (vocabulary.Mobility, "user"),
    "meeting": (vocabulary.Meeting, "service"),
    "mobility_service": (vocabulary.MobilityService, "service"),
    "push_notification": (vocabulary.PushNotification, "site"),
}
ENTRIES: dict[str, type[PolicyObject]] = {
    "allowed_domains": vocabulary.AllowedDomain,
    "blocked_domains": vocabulary.BlockedDomain,
    "xmpp_partners": vocabulary.XmppPartner,
    "public_providers": vocabulary.PublicProvider,
    "hosting_providers": vocabulary.HostingProvider,
}
HOME = "fe.inside.house.example"
SIP_DOMAINS = ("partner.example", "bad.example", "stranger.example")
XMPP_DOMAINS = ("jabber.example", "chat.example")
PROVIDER_DOMAINS = ("messenger.example", "hosted.example")
USERS = ("ann@house.example", "ben@house.example", "bea@house.example", "nobody@house.example")


MOSTLY = st.sampled_from([True] * 11 + [False])
"""True eleven times of twelve: a request passes a dozen gates, and half of all should pass them all."""

SELDOM = MOSTLY.map(lambda value: not value)


def objects(kind: type[PolicyObject], *skip: str) -> st.SearchStrategy[dict[str, Any]]:
    """Random values for the settings of an object that can change a decision."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for entry in describe(kind):
        if entry.name in skip or entry.setting.direction == "neutral":
            continue
        if entry.type == "boolean":
            fields[entry.name] = MOSTLY if entry.setting.direction == "opens" else SELDOM
        elif entry.setting.levels:
            strict = [value for level in entry.setting.levels for value in level]
            fields[entry.name] = st.sampled_from([*strict, *(strict[-1],) * 6])
    return st.fixed_dictionaries(fields)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """Random policies of the house that agree with each other."""
    document: dict[str, Any] = {"schema": 1}
    edge = draw(objects(vocabulary.AccessEdge, "routing_method"))
    default = draw(st.booleans()) and draw(st.booleans())
    if default:
        edge |= {"routing_method": "use_default_routing", "default_route_fqdn": "hub.example"}
        edge.pop("enable_partner_discovery", None)
        edge["is_public_provider"] = draw(st.booleans())
    document["access_edge"] = edge
    for name, (kind, special) in SCOPED.items():
        document[name] = {"global": draw(objects(kind))}
        if draw(st.booleans()):
            key = {"user": "special", "service": HOME, "site": "hq"}[special]
            document[name][special] = {key: draw(objects(kind))}
    where = {
        name: draw(st.sampled_from(["allowed", "allowed", "allowed", "blocked", ""])) for name in SIP_DOMAINS
    }
    document["allowed_domains"] = [
        {"domain": name, **draw(objects(vocabulary.AllowedDomain, "domain"))}
        for name in [*SIP_DOMAINS, "push.lync.com"]
        if where.get(name, "allowed") == "allowed"
    ]
    document["blocked_domains"] = [{"domain": name} for name in SIP_DOMAINS if where[name] == "blocked"]
    document["blocked_domains"] += [
        {"domain": name} for name in (*XMPP_DOMAINS, *PROVIDER_DOMAINS) if not draw(MOSTLY)
    ]
    if draw(MOSTLY):
        extra = list(XMPP_DOMAINS[1:]) if draw(st.booleans()) else []
        partner = {"domain": XMPP_DOMAINS[0], "additional_domains": extra}
        document["xmpp_partners"] = [partner | draw(objects(vocabulary.XmppPartner, "domain"))]
    if not default:
        everything = ["presence", "im", "audio", "video"]
        capabilities = draw(st.sampled_from([None, [], everything[:2], everything, everything, everything]))
        provider = {"proxy_fqdn": "sip.messenger.example", "capabilities": capabilities}
        document["public_providers"] = {
            "messenger": provider | draw(objects(vocabulary.PublicProvider, "capabilities", "ends"))
        }
        hosts = {"online": "sip.hosted.example", "push": "sipfed.online.lync.com"}
        document["hosting_providers"] = {
            name: {"proxy_fqdn": proxy} | draw(objects(vocabulary.HostingProvider))
            for name, proxy in hosts.items()
        }
    return document


BASE = house()
TOPOLOGIES = [
    BASE.topology,
    house(topology={"routes/federation": None}).topology,
    house(topology={"routes/xmpp": None}).topology,
    house(topology={"sites/hq/edge/av": None}).topology,
    house(topology={"sites/hq/reverse_proxy": []}).topology,
]


@st.composite
def deployments(draw: st.DrawFn) -> Deployment:
    """The house with random policies, grants, states and topology."""
    document = draw(policies())
    users: dict[str, dict[str, Any]] = {}
    for address in USERS[:3]:
        given = [kind for kind in ("external_access", "conferencing", "mobility") if "user" in document[kind]]
        granted = {kind: "special" for kind in given if draw(st.booleans())}
        users[address] = {"home": HOME, "enabled": draw(MOSTLY), "policies": granted}
    topology = TOPOLOGIES[0] if draw(MOSTLY) else draw(st.sampled_from(TOPOLOGIES[1:]))
    directory = Directory.model_validate({"users": users})
    return replace(BASE, topology=topology, directory=directory, policies=Policies.model_validate(document))


@st.composite
def requests(draw: st.DrawFn, party: Party | None = None) -> Request:
    """A question that makes sense, with random facts."""
    party = party or draw(st.sampled_from(PARTIES))
    known = list(FEATURES.values())
    fitting = [feature for feature in known if feature.support[party] in "YC" and not feature.elsewhere]
    feature = draw(st.sampled_from(fitting if draw(MOSTLY) else known))
    ours = party in ("internal", "remote", "mobile")
    domains = {
        "federated": (*SIP_DOMAINS, *PROVIDER_DOMAINS, *XMPP_DOMAINS),
        "public": PROVIDER_DOMAINS,
        "xmpp": (*XMPP_DOMAINS, *SIP_DOMAINS),
    }
    everybody = st.sampled_from([*USERS[:3] * 4, USERS[3]])
    outsiders = st.sampled_from([*SIP_DOMAINS, *XMPP_DOMAINS, *PROVIDER_DOMAINS]).map(
        lambda name: f"sam@{name}"
    )
    who: str | None = None
    if ours:
        who = draw(everybody)
    elif party != "anonymous":
        who = f"sam@{draw(st.sampled_from(domains[party]))}"
    to = meeting = None
    if feature.shape == "person":
        external = feature.id in ("M15", "M18", "M31")
        to = draw(outsiders if ours and (external or draw(st.booleans())) else everybody)
    elif feature.shape == "meeting":
        meeting = Meeting(
            draw(everybody),
            kind=draw(st.sampled_from(["scheduled", "meet_now"])),
            known=draw(MOSTLY),
            key_valid=draw(MOSTLY),
            promoted=draw(st.booleans()),
            admitted=draw(st.booleans()),
        )
    return Request(
        party,
        feature.id,
        who,
        to,
        meeting,
        client=draw(st.sampled_from([None, "iphone", "android", "windows_phone"]))
        if party == "mobile"
        else None,
        password_proven=draw(MOSTLY),
        registered=draw(MOSTLY),
        callee_available=draw(MOSTLY),
        peer_found=draw(MOSTLY),
        peer_trusted=draw(MOSTLY),
        peer_answers=draw(MOSTLY),
        within_rate=draw(MOSTLY),
        within_contacts=draw(MOSTLY),
        peer_agrees=draw(MOSTLY),
        recipient_accepts=draw(MOSTLY),
        mark=draw(st.sampled_from(["verifiable", "verifiable", "unverifiable", "none"])),
        contact=draw(MOSTLY),
        wifi=draw(MOSTLY),
    )


QUICK = settings(
    max_examples=int(os.environ.get("EDGEWRIGHT_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def _with(deployment: Deployment, document: dict[str, Any]) -> Deployment | None:
    try:
        return replace(deployment, policies=Policies.model_validate(document))
    except ValidationError:
        return None


def _parts(document: dict[str, Any]) -> list[tuple[type[PolicyObject], dict[str, Any]]]:
    """Every policy object of a document with its type."""
    found: list[tuple[type[PolicyObject], dict[str, Any]]] = [
        (vocabulary.AccessEdge, document["access_edge"])
    ]
    for name, (kind, special) in SCOPED.items():
        found += [
            (kind, part) for part in (document[name]["global"], *document[name].get(special, {}).values())
        ]
    for name, kind in ENTRIES.items():
        entries = document[name]
        found += [(kind, part) for part in (entries.values() if isinstance(entries, dict) else entries)]
    return found


def _stricter(deployment: Deployment, random: Any) -> list[tuple[str, Deployment]]:
    """A fifth of the deployments with exactly one setting moved to a stricter value, by that setting."""
    document = deployment.policies.model_dump(mode="json", by_alias=True)
    found: list[tuple[str, Deployment]] = []

    def keep(name: str, changed: dict[str, Any] = document) -> None:
        other = _with(deployment, changed) if random.random() < 0.2 else None
        if other is not None:
            found.append((name, other))

    for kind, part in _parts(document):
        for entry in describe(kind):
            was = part[entry.name]
            for value in entry.setting.stricter(was):
                part[entry.name] = value
                if entry.name == "routing_method":
                    route, part["default_route_fqdn"] = part["default_route_fqdn"], None
                keep(f"{kind.noun}.{entry.name} -> {value}")
                part[entry.name] = was
                if entry.name == "routing_method":
                    part["default_route_fqdn"] = route
        if kind is vocabulary.PublicProvider and part["capabilities"]:
            was = part["capabilities"]
            part["capabilities"] = was[1:]
            keep("capabilities")
            part["capabilities"] = was
        if kind is vocabulary.Conferencing:
            part["max_meeting_size"] = 2
            keep("max_meeting_size")
            part["max_meeting_size"] = 250
    for name, other in _lists(document):
        keep(name, other)
    return found


def _lists(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents with one partner less, or one domain more that is blocked."""
    for name in ("allowed_domains", "xmpp_partners"):
        entries = document[name]
        for entry in entries:
            yield (
                f"{name} without {entry['domain']}",
                {**document, name: [one for one in entries if one is not entry]},
            )
    blocked = document["blocked_domains"]
    taken = {entry["domain"] for entry in (*document["allowed_domains"], *blocked)}
    for name in (*SIP_DOMAINS, *XMPP_DOMAINS, *PROVIDER_DOMAINS):
        if name not in taken:
            yield f"{name} blocked", {**document, "blocked_domains": [*blocked, {"domain": name}]}


def _way(deployment: Deployment, request: Request, foreign: partners.Foreign) -> tuple[str, bool]:
    """The class of a foreign domain, and whether it is refused for coming over the wrong protocol."""
    xmpp = any(foreign.domain in entry.domains for entry in deployment.policies.xmpp_partners)
    return foreign.kind, xmpp and request.party != "xmpp"


@QUICK
@given(deployments(), requests(), st.randoms(use_true_random=False))
def test_stricter_never_allows_more(deployment: Deployment, request: Request, random: Any) -> None:
    before = decide(deployment, request)
    if before.allowed:
        return
    was = partners.foreign_of(deployment, request)
    for name, strict in _stricter(deployment, random):
        now = partners.foreign_of(strict, request)
        # Lists also say over which protocol a domain comes: then it is another question.
        if was is None or now is None or _way(deployment, request, was) == _way(strict, request, now):
            assert not decide(strict, request).allowed, name


@QUICK
@given(deployments(), requests())
def test_blocked_never_becomes_allowed(deployment: Deployment, request: Request) -> None:
    foreign = partners.foreign_of(deployment, request)
    # A public page asks nobody where they come from.
    assume(foreign is not None and request.feature != "M21")
    assert foreign is not None
    document = deployment.policies.model_dump(mode="json", by_alias=True)
    document["blocked_domains"] = [*document["blocked_domains"], {"domain": foreign.domain}]
    blocked = _with(deployment, document)
    assert blocked is not None
    assert not decide(blocked, request).allowed
    # Whatever else is opened.
    for kind, part in _parts(document):
        for entry in describe(kind):
            if entry.setting.direction == "opens" and entry.type == "boolean":
                part[entry.name] = True
    opened = _with(deployment, document)
    assert opened is None or not decide(opened, request).allowed


@QUICK
@given(deployments(), requests(), st.randoms(use_true_random=False))
def test_the_order_of_lists_does_not_matter(deployment: Deployment, request: Request, random: Any) -> None:
    document = deployment.policies.model_dump(mode="json", by_alias=True)
    for name in ENTRIES:
        if isinstance(document[name], list):
            random.shuffle(document[name])
        else:
            entries = list(document[name].items())
            random.shuffle(entries)
            document[name] = dict(entries)
    shuffled = _with(deployment, document)
    assert shuffled is not None
    assert decide(shuffled, request) == decide(deployment, request)


@QUICK
@given(deployments(), requests())
def test_every_refusal_has_one_known_reason(deployment: Deployment, request: Request) -> None:
    decision = decide(deployment, request)
    assert (decision.reason is None) is decision.allowed
    assert decision.allowed is not bool(decision.against)
    if decision.reason is not None:
        assert decision.reason in REASONS
        assert decision.against[0].reason == decision.reason
    for link in decision.chain:
        assert link.ok is (link.reason is None)
        assert link.source


def _turned(deployment: Deployment, request: Request, links: tuple[Any, ...]) -> tuple[Deployment, Request]:
    """Deployment and question with every named setting and fact turned over."""
    document = deployment.policies.model_dump(mode="json", by_alias=True)
    users = deployment.directory.model_dump(mode="json", by_alias=True)
    for link in links:
        root, *path = link.path
        if root == "request":
            if path[0] == "meeting":
                assert request.meeting is not None
                request = replace(request, meeting=replace(request.meeting, **{path[1]: link.flip}))
            else:
                request = replace(request, **{path[0]: link.flip})
        elif root == "directory":
            users["users"][path[1]]["enabled"] = link.flip
        elif path[0] in ENTRIES and len(path) == 2:
            _turn_entry(document, path[0], path[1], link.flip)
        elif isinstance(document[path[0]], list):
            # The entry itself may have been turned over, and be gone.
            for entry in document[path[0]]:
                if entry["domain"] == path[1]:
                    entry[path[2]] = link.flip
        else:
            here = document
            for name in path[:-1]:
                here = here[name]
            here[path[-1]] = link.flip
    turned = _with(deployment, document)
    assert turned is not None
    return replace(turned, directory=type(deployment.directory).model_validate(users)), request


def _turn_entry(document: dict[str, Any], name: str, domain_: str, wanted: bool) -> None:
    if name == "hosting_providers":
        document[name]["added"] = {"proxy_fqdn": domain_, "enabled": True}
        return
    entries = [
        entry
        for entry in document[name]
        if domain_ not in (entry["domain"], *entry.get("additional_domains", ()))
    ]
    if wanted:
        entries.append(
            {"domain": domain_, "partner_type": "federated"}
            if name == "xmpp_partners"
            else {"domain": domain_}
        )
    document[name] = entries


@QUICK
@given(deployments(), requests())
def test_the_chain_is_sufficient(deployment: Deployment, request: Request) -> None:
    """Turning over all that refuses allows; turning over the settings that allow refuses; rows are named."""
    decision = decide(deployment, request)
    against = decision.against
    if against and all(link.kind == "row" for link in against):
        assert REASONS[decision.reason or ""].id in ("feature-not-supported", "not-part-of-deployment")
        return
    assume(not any(link.kind in ("row", "topology") for link in against))
    # Somebody who does not exist is no setting: adding a user brings that user's policies with it.
    assume(not any(link.kind == "directory" and link.path[-1] == "known" for link in against))
    if decision.allowed:
        links = tuple(link for link in decision.chain if link.kind == "setting" and link.flip is not None)
        if not links:
            return
        turned = decide(*_turned(deployment, request, links))
        assert not turned.allowed
    else:
        turned = decide(*_turned(deployment, request, against))
        assert turned.allowed, turned.against


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("party", PARTIES)
def test_the_questions_reach_both_answers(party: Party, allowed: bool) -> None:
    """The generators are worth something only if they find much that is allowed and much that is refused."""
    quick = settings(QUICK, max_examples=500, phases=[Phase.generate], derandomize=True, database=None)
    both = st.tuples(deployments(), requests(party))
    find(both, lambda drawn: decide(*drawn).allowed is allowed, settings=quick)


def test_addresses_have_domains() -> None:
    assert domain("sam@partner.example") == "partner.example"

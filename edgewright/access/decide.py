"""The decision: may this party do this, and if not, for which one reason (J01-J10, tables 1.2, 1.3, 8.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgewright.access import meetings, partners, people
from edgewright.access.decision import Decision, Trail
from edgewright.access.features import FEATURES, SIGN_IN, WORDS, Feature
from edgewright.access.request import OURS, Party, Request
from edgewright.model import resolve

if TYPE_CHECKING:
    from edgewright.access.partners import Foreign
    from edgewright.model.deployment import Deployment

ANDROID_LACKS = frozenset({"M04", "M06", "M10", "M11", "M29"})
"""Rows with the note "not Android" (1.2)."""

PUSH_PROXY = "sipfed.online.lync.com"
PUSH_DOMAIN = "push.lync.com"


def decide(deployment: Deployment, request: Request) -> Decision:
    """Whether the request is allowed; if not, the reason that the enforcing host is to log.

    Raises:
        ValueError: the request names an unknown feature, or lacks the person or meeting that the feature
        needs.
    """
    feature = WORDS.get(request.feature)
    if feature is None:
        raise ValueError(f"unknown feature: {request.feature}")
    if feature.id != request.feature:
        request = replace(request, feature=feature.id)
    foreign = partners.foreign_of(deployment, request)
    trail = Trail()
    if not _structure(trail, feature, request, foreign):
        return trail.decide(request)
    if feature.id == "M10" and request.party == "federated":
        trail.row("M10", "scheduling needs an account here", "feature-not-supported")
        return trail.decide(request)
    if request.party == "mobile":
        _client(trail, feature, request)
    if feature.shape == "meeting" and not (request.meeting is None and request.to is not None):
        meetings.take_part(trail, deployment, request)
    elif feature.shape == "self":
        _alone(trail, deployment, feature, request)
    else:
        _person(trail, deployment, feature, request, foreign)
    return trail.decide(request)


def _structure(trail: Trail, feature: Feature, request: Request, foreign: Foreign | None) -> bool:
    """Whether this kind of user has this feature at all; the columns of both sides count."""
    if feature.elsewhere:
        trail.row(feature.row, "belongs to another product", "not-part-of-deployment")
        if "X09" in feature.exceptions:
            trail.note("X09", "a federated contact has to be raised to Colleagues by hand for it")
        return False
    columns: list[Party] = [request.party]
    if foreign is not None:
        columns.append(foreign.kind)
    for column in dict.fromkeys(columns):
        support = feature.support[column]
        # What a feature is to the partner's side ("-") does not matter where one of ours asks.
        if support == "N" or (
            support == "-" and column == request.party and not _by_partner(feature, foreign)
        ):
            for source in (feature.row, *_exceptions(feature, column)):
                trail.row(
                    source,
                    f"{column}: {'never' if support == 'N' else 'not applicable'}",
                    "feature-not-supported",
                )
            return False
    if feature.id == "M18" and request.party == "mobile":
        trail.row("M07", "mobile: never shares", "feature-not-supported")
        return False
    if foreign is not None and request.party == "mobile" and feature.row == "M14":
        trail.row("M15", "mobile: no calls with people outside", "feature-not-supported")
        return False
    return True


def _by_partner(feature: Feature, foreign: Foreign | None) -> bool:
    """M18 is only ever done with a partner: the row of our own side is empty."""
    return feature.id == "M18" and foreign is not None


def _exceptions(feature: Feature, column: Party) -> tuple[str, ...]:
    wanted = {"public": ("X01", "X02", "X03"), "xmpp": ("X06",)}.get(column, ())
    return tuple(source for source in feature.exceptions if source in wanted)


def _client(trail: Trail, feature: Feature, request: Request) -> None:
    """What a mobile client lacks (1.2, notes of T5)."""
    if request.client == "android" and feature.row in ANDROID_LACKS:
        trail.fact("client", request.client, False, feature.row, "client-lacks-feature", flip="iphone")
    if feature.id == "M10":
        kind = meetings.meeting_of(request).kind
        trail.fact("meeting.kind", kind, kind == "meet_now", "M10", "client-lacks-feature", flip="meet_now")


def _alone(trail: Trail, deployment: Deployment, feature: Feature, request: Request) -> None:
    """Features that concern the asker alone."""
    if feature.id == "M21":
        url = deployment.topology.simple_urls.dialin
        trail.topology("simple_urls.dialin", str(url) if url else None, url is not None, "M21", "dial-in-off")
        if request.party != "internal":
            people.published(trail, deployment, request, None)
        return
    people.enter(trail, deployment, request)
    if feature.id in (SIGN_IN, "M32"):
        if feature.id == "M32":
            people.registered(trail, request)
        return
    if feature.id == "M27":
        _push(trail, deployment, request)
        return
    if request.party == "remote" and feature.row in ("M19", "M20", "M33", "M34"):
        people.published(trail, deployment, request, request.who)


def _push(trail: Trail, deployment: Deployment, request: Request) -> None:
    """Push notification (8.6): the switch of the device's maker, and the way to the clearing house."""
    setting = {
        "windows_phone": "enable_microsoft_push_notification_service",
        "iphone_2010": "enable_apple_push_notification_service",
    }.get(request.client or "")
    if setting is None:
        trail.fact("client", request.client, False, "M27", "client-lacks-feature", flip="windows_phone")
        setting = "enable_microsoft_push_notification_service"
    home = deployment.home(request.who) if request.who in deployment.directory.users else None
    configuration, origin = resolve.configuration(deployment, "push_notification", home or "")
    path = ("push_notification", *origin.split(":", 1), setting)
    trail.setting(path, getattr(configuration, setting), "8.6", "push-off")
    policies = deployment.policies
    value = policies.access_edge.allow_federated_users
    trail.setting(("access_edge", "allow_federated_users"), value, "8.6", "federated-users-off")
    listed = any(entry.domain == PUSH_DOMAIN for entry in policies.allowed_domains)
    trail.listed("allowed_domains", PUSH_DOMAIN, listed, "8.6", "domain-not-federated", ok=listed)
    hosting = {
        name: entry for name, entry in policies.hosting_providers.items() if entry.proxy_fqdn == PUSH_PROXY
    }
    for name, entry in sorted(hosting.items()):
        trail.setting(("hosting_providers", name, "enabled"), entry.enabled, "8.6", "provider-off")
    if not hosting:
        trail.listed("hosting_providers", PUSH_PROXY, False, "8.6", "provider-off", ok=False)
    route = deployment.topology.routes.federation
    trail.topology("routes.federation", route, route is not None, "8.6", "federation-not-deployed")


def _person(
    trail: Trail, deployment: Deployment, feature: Feature, request: Request, foreign: Foreign | None
) -> None:
    """Features between two people."""
    ours = request.party in OURS
    if ours:
        people.enter(trail, deployment, request)
        people.registered(trail, request)
        _message(trail, deployment, feature, request)
    else:
        people.edge(trail, deployment, request)
    other = request.to
    if other is None:
        if not (ours and feature.id == "M01"):
            raise ValueError(f"{feature.id} needs somebody at the other end")
        return
    if foreign is None:
        if feature.id in ("M15", "M31"):
            raise ValueError(f"{feature.id} is about people outside, and {other} is ours")
        people.callee(trail, deployment, request, other)
    elif ours:
        assert request.who is not None
        partners.cross(trail, deployment, request, request.who, foreign, inbound=False, person=True)
    else:
        partners.cross(trail, deployment, request, other, foreign, inbound=True, person=True)
        _message(trail, deployment, feature, request)
        people.callee(trail, deployment, request, other)
    involved = [address for address in (request.who, other) if address in deployment.directory.users]
    _between(trail, deployment, feature, request, foreign, [address for address in involved if address])


def _message(trail: Trail, deployment: Deployment, feature: Feature, request: Request) -> None:
    """What a message may carry: its kind, and how much."""
    if feature.id not in ("M02", "M31"):
        return
    policy, kind = deployment.policies.instant_messaging, request.content_type
    types, limit = policy.content_types, policy.max_message_size
    path = ("instant_messaging", "content_types")
    trail.setting(
        path,
        types,
        "M02",
        "content-type-not-allowed",
        wanted=(*types, kind),
        closed=tuple(one for one in types if one != kind),
        ok=kind in types,
    )
    path = ("instant_messaging", "max_message_size")
    ok = request.size <= limit
    trail.setting(path, limit, "M02", "message-too-large", wanted=49152, ok=ok)
    if not ok:
        trail.fact("size", request.size, False, "M02", "message-too-large", flip=limit)


def _between(
    trail: Trail,
    deployment: Deployment,
    feature: Feature,
    request: Request,
    foreign: Foreign | None,
    involved: list[str],
) -> None:
    """What a feature between two people needs of each of ours (8.4, each user) and of the topology."""
    settings = {
        "M14-video": ("enable_p2p_video", "p2p-video-off"),
        "M17": ("enable_p2p_file_transfer", "file-transfer-off"),
        "M30": ("enable_p2p_recording", "recording-off"),
    }
    for address in involved:
        if feature.id in settings:
            setting, reason = settings[feature.id]
            people.user_setting(trail, deployment, "conferencing", address, setting, "J08, 8.4", reason)
        if feature.id in ("M07", "M18"):
            meetings.sharing(trail, deployment, address)
        if feature.id == "M08" and request.party not in OURS:
            meetings.external_control(trail, deployment, address)
    if foreign is not None and feature.id in ("M17", "M18"):
        partners.product(trail, foreign, feature.row)
    if request.party == "mobile":
        meetings.mobile_media(trail, deployment, request)
    crossing = request.party != "internal" or foreign is not None
    if crossing and feature.row in ("M14", "M15", "M18") and involved:
        meetings.media(trail, deployment, involved[0])
    if crossing and feature.row == "M17" and involved:
        # Ours pass through the web services of the sender's home, not from client to client.
        people.published(trail, deployment, request, involved[0])


__all__ = ["FEATURES", "Decision", "Request", "decide"]

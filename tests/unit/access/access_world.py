"""A small organisation made in memory, everything open unless a test closes it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgewright.access.decide import decide
from edgewright.access.decision import Decision
from edgewright.access.request import Meeting, Request
from edgewright.model.deployment import Deployment
from edgewright.model.directory import Directory
from edgewright.model.policy import Policies
from edgewright.model.topology import Topology

EDGE = "edge.inside.house.example"
HOME = "fe.inside.house.example"
BRANCH = "fe.branch.inside.house.example"

TOPOLOGY: dict[str, Any] = {
    "schema": 1,
    "organization": "House",
    "sip_domains": ["house.example"],
    "internal_domain": "inside.house.example",
    "networks": {
        name: {"ipv4": f"198.18.{16 + index}.0/24", "ipv6": f"2001:db8:10:{index}::/64"}
        for index, name in enumerate(("outside", "perimeter_out", "perimeter_in", "inside"))
    },
    "sites": {
        "hq": {
            "edge": {
                "pool": EDGE,
                "hosts": ["edge1"],
                "next_hop": HOME,
                "access": {"fqdn": "sip.house.example"},
                "web_conferencing": {"fqdn": "webconf.house.example"},
                "av": {"fqdn": "av.house.example"},
            },
            "front_end": {"pool": HOME, "hosts": ["fe1"], "media": EDGE, "external_web": "web.house.example"},
            "reverse_proxy": {"hosts": ["proxy1"]},
        },
        "branch": {
            "front_end": {
                "pool": BRANCH,
                "hosts": ["fe2"],
                "media": EDGE,
                "external_web": "web2.house.example",
            },
        },
    },
    "routes": {"federation": EDGE, "xmpp": EDGE},
    "simple_urls": {"meet": "https://meet.house.example", "dialin": "https://dialin.house.example"},
}

OPEN: dict[str, Any] = {
    "schema": 1,
    "access_edge": {
        "allow_outside_users": True,
        "allow_federated_users": True,
        "allow_anonymous_users": True,
    },
    "external_access": {
        "global": {
            "enable_outside_access": True,
            "enable_federation_access": True,
            "enable_xmpp_access": True,
            "enable_public_cloud_access": True,
            "enable_public_cloud_audio_video_access": True,
        }
    },
    "conferencing": {
        "global": {
            "allow_external_user_control": True,
            "allow_conference_recording": True,
            "allow_external_users_to_record_meeting": True,
            "enable_p2p_video": True,
            "enable_p2p_recording": True,
        }
    },
    "meeting": {"global": {"designate_as_presenter": "everyone"}},
    "push_notification": {
        "global": {
            "enable_apple_push_notification_service": True,
            "enable_microsoft_push_notification_service": True,
        }
    },
    "allowed_domains": [{"domain": "partner.example"}, {"domain": "push.lync.com"}],
    "blocked_domains": [{"domain": "blocked.example"}],
    "public_providers": {
        "messenger": {
            "proxy_fqdn": "sip.messenger.example",
            "enabled": True,
            "network": "windows_live",
            "ends": "2099-12-31",
        }
    },
    "hosting_providers": {
        "online": {"proxy_fqdn": "sipfed.online.lync.com", "enabled": True},
    },
    "xmpp_partners": [{"domain": "jabber.example", "partner_type": "federated"}],
}

USERS: dict[str, Any] = {
    "schema": 1,
    "users": {
        "ann@house.example": {"home": HOME},
        "ben@house.example": {"home": HOME},
        "bea@house.example": {"home": BRANCH},
    },
}

FOREIGN = {
    "federated": "pat@partner.example",
    "xmpp": "xen@jabber.example",
    "public": "pia@messenger.example",
}


def put(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the document with one value changed: `access_edge/allow_outside_users`; None removes it."""
    copy = deepcopy(document)
    here: Any = copy
    *before, last = path.split("/")
    for name in before:
        here = here[int(name)] if isinstance(here, list) else here.setdefault(name, {})
    if value is None:
        here.pop(last, None)
    else:
        here[int(last) if isinstance(here, list) else last] = value
    return copy


def changed(document: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    for path, value in (changes or {}).items():
        document = put(document, path, value)
    return document


def house(
    policies: dict[str, Any] | None = None,
    users: dict[str, Any] | None = None,
    topology: dict[str, Any] | None = None,
) -> Deployment:
    """The organisation with changes by path."""
    return Deployment(
        name="house",
        folder=Path(),
        topology=Topology.model_validate(changed(TOPOLOGY, topology)),
        policies=Policies.model_validate(changed(OPEN, policies)),
        directory=Directory.model_validate(changed(USERS, users)),
        surroundings=None,
        digest="",
    )


def question(party: str, feature: str, **facts: Any) -> Request:
    """A question of a party with the people and the meeting that it usually has."""
    ours = party in ("internal", "remote", "mobile")
    request = Request(party, feature)  # type: ignore[arg-type]
    if ours:
        request = replace(request, who="ann@house.example")
    elif party != "anonymous":
        request = replace(request, who=FOREIGN[party])
    if feature.partition("-")[0] in ("M01", "M02", "M14", "M17") and party != "anonymous":
        request = replace(request, to="ben@house.example")
    elif feature in ("M15", "M31"):
        request = replace(request, to=FOREIGN["federated"])
    elif feature == "M18":
        request = replace(request, to=FOREIGN["federated"] if ours else "ben@house.example")
    elif feature.startswith("M") and not ours:
        request = replace(request, meeting=Meeting("ben@house.example"))
    return replace(request, **facts)


def answer(
    party: str,
    feature: str,
    policies: dict[str, Any] | None = None,
    users: dict[str, Any] | None = None,
    topology: dict[str, Any] | None = None,
    **facts: Any,
) -> Decision:
    return decide(house(policies, users, topology), question(party, feature, **facts))

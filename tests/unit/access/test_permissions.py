"""Every row of the effective-permission table (reference 8.1) and the rules J01-J10."""

from __future__ import annotations

from typing import Any

import pytest
from access_world import BRANCH, FOREIGN, HOME, answer, house

from edgewright.access.request import Meeting
from edgewright.model import resolve

OFF = "external_access/global/"

ROWS: list[tuple[str, str, str, dict[str, Any], str]] = [
    # class, party, feature, the gate that is closed, reason
    (
        "Remote: organisation",
        "remote",
        "sign-in",
        {"access_edge/allow_outside_users": False},
        "outside-users-off",
    ),
    ("Remote: user", "remote", "sign-in", {OFF + "enable_outside_access": False}, "outside-access-off"),
    (
        "SIP: organisation",
        "federated",
        "M02",
        {"access_edge/allow_federated_users": False},
        "federated-users-off",
    ),
    ("SIP: user", "federated", "M02", {OFF + "enable_federation_access": False}, "federation-access-off"),
    ("SIP: list", "federated", "M02", {"allowed_domains": []}, "domain-not-federated"),
    (
        "SIP: block",
        "federated",
        "M02",
        {"blocked_domains": [{"domain": "partner.example"}]},
        "domain-blocked",
    ),
    (
        "XMPP: organisation",
        "xmpp",
        "M02",
        {"access_edge/allow_federated_users": False},
        "federated-users-off",
    ),
    ("XMPP: user", "xmpp", "M02", {OFF + "enable_xmpp_access": False}, "xmpp-access-off"),
    ("XMPP: list", "xmpp", "M02", {"xmpp_partners": []}, "domain-not-federated"),
    ("XMPP: block", "xmpp", "M02", {"blocked_domains": [{"domain": "jabber.example"}]}, "domain-blocked"),
    (
        "PIC: organisation",
        "public",
        "M02",
        {"access_edge/allow_federated_users": False},
        "federated-users-off",
    ),
    ("PIC: user", "public", "M02", {OFF + "enable_public_cloud_access": False}, "public-access-off"),
    (
        "PIC: user, calls",
        "public",
        "M14",
        {OFF + "enable_public_cloud_audio_video_access": False},
        "public-media-off",
    ),
    ("PIC: provider", "public", "M02", {"public_providers/messenger/enabled": False}, "provider-off"),
    (
        "PIC: provisioned",
        "public",
        "M02",
        {"public_providers/messenger/provisioned": False},
        "provider-not-provisioned",
    ),
    ("PIC: block", "public", "M02", {"blocked_domains": [{"domain": "messenger.example"}]}, "domain-blocked"),
    (
        "Anonymous: switch",
        "anonymous",
        "M05",
        {"access_edge/allow_anonymous_users": False},
        "anonymous-users-off",
    ),
    (
        "Anonymous: outside",
        "anonymous",
        "M05",
        {"access_edge/allow_outside_users": False},
        "outside-users-off",
    ),
    (
        "Anonymous: organiser",
        "anonymous",
        "M05",
        {"conferencing/global/allow_anonymous_participants_in_meetings": False},
        "anonymous-participants-off",
    ),
    (
        "Anonymous: lobby",
        "anonymous",
        "M05",
        {"meeting/global/admit_anonymous_users_by_default": False},
        "in-lobby",
    ),
    ("Mobile: user", "mobile", "sign-in", {OFF + "enable_outside_access": False}, "outside-access-off"),
    ("Mobile: policy", "mobile", "sign-in", {"mobility/global/enable_mobility": False}, "mobility-off"),
    (
        "Mobile: Mcx",
        "mobile",
        "sign-in",
        {"mobility_service/global/exposed_web_url": "internal"},
        "mobility-inside-only",
    ),
]


@pytest.mark.parametrize(
    ("row", "party", "feature", "policies", "reason"), ROWS, ids=[row[0] for row in ROWS]
)
def test_each_gate_closes(row: str, party: str, feature: str, policies: dict[str, Any], reason: str) -> None:
    del row
    open_, closed = answer(party, feature), answer(party, feature, policies)
    assert open_.allowed, open_.against
    assert closed.reason == reason
    assert all(link.reason == reason for link in closed.against)


@pytest.mark.parametrize(
    ("party", "feature", "topology", "reason"),
    [
        ("federated", "M02", {"routes/federation": None}, "federation-not-deployed"),
        ("public", "M02", {"routes/federation": None}, "federation-not-deployed"),
        ("xmpp", "M02", {"routes/xmpp": None}, "xmpp-not-deployed"),
        ("mobile", "sign-in", {"sites/hq/reverse_proxy": []}, "web-not-published"),
        ("mobile", "sign-in", {"sites/hq/front_end/external_web": None}, "web-not-published"),
        ("remote", "sign-in", {"sites/hq/edge": []}, "edge-not-deployed"),
        ("remote", "M11", {"sites/hq/edge/web_conferencing": None}, "web-conferencing-not-deployed"),
        ("remote", "M14", {"sites/hq/edge/av": None}, "media-not-deployed"),
        ("remote", "M14", {"sites/hq/front_end/media": None}, "media-not-deployed"),
        ("anonymous", "M21", {"simple_urls/dialin": None}, "dial-in-off"),
    ],
)
def test_topology_gates(party: str, feature: str, topology: dict[str, Any], reason: str) -> None:
    """8.1, last gates; 9c; 9f; G05."""
    assert answer(party, feature).allowed
    assert answer(party, feature, topology=topology).reason == reason


@pytest.mark.parametrize("outbound", [False, True])
@pytest.mark.parametrize("kind", ["federated", "xmpp", "public"])
def test_both_directions_need_both(kind: str, outbound: bool) -> None:
    """J03: organisation AND user, whoever begins."""
    setting = {
        "federated": "enable_federation_access",
        "xmpp": "enable_xmpp_access",
        "public": "enable_public_cloud_access",
    }[kind]
    facts = {"who": "ann@house.example", "to": FOREIGN[kind]} if outbound else {}
    party = "internal" if outbound else kind
    switch, user = {"access_edge/allow_federated_users": False}, {OFF + setting: False}
    assert answer(party, "M02", **facts).allowed
    for policies in (switch, user, {**switch, **user}):
        decision = answer(party, "M02", policies, **facts)
        assert not decision.allowed
        assert len(decision.against) == len(policies)


def test_policies_may_be_set_while_the_switch_is_off() -> None:
    """J04: a description with the switch off and the policy on is valid, and ends up refused."""
    assert (
        answer("remote", "sign-in", {"access_edge/allow_outside_users": False}).reason == "outside-users-off"
    )


# Resolution

INSIDE_ONLY = {"external_access/user/strict/enable_outside_access": False}
AT_BRANCH = {"external_access/site/branch/enable_federation_access": True}


def test_user_beats_site_beats_global() -> None:
    """J01, J05: the site's policy applies by itself to those homed there."""
    policies = {**INSIDE_ONLY, **AT_BRANCH}
    plain = house(policies)
    assert resolve.effective(plain, "external_access", "ann@house.example")[1] == "global"
    assert resolve.effective(plain, "external_access", "bea@house.example")[1] == "site:branch"
    granted = house(policies, {"users/bea@house.example/policies/external_access": "strict"})
    assert resolve.effective(granted, "external_access", "bea@house.example")[1] == "user:strict"


def test_the_winner_replaces_as_a_whole() -> None:
    """J01 (K): what the winner does not say is its default, not the loser's value."""
    site, _ = resolve.effective(house(AT_BRANCH), "external_access", "bea@house.example")
    assert site.enable_federation_access
    assert not site.enable_outside_access
    assert answer("remote", "sign-in", AT_BRANCH, who="bea@house.example").reason == "outside-access-off"
    assert answer("remote", "sign-in", AT_BRANCH, who="ann@house.example").allowed


def test_service_beats_site_beats_global() -> None:
    """J02."""
    policies: dict[str, Any] = {"meeting/site/branch/designate_as_presenter": "none"}
    assert resolve.configuration(house(policies), "meeting", BRANCH)[1] == "site:branch"
    assert resolve.configuration(house(policies), "meeting", HOME)[1] == "global"
    policies[f"meeting/service/{BRANCH}"] = {"designate_as_presenter": "company"}
    chosen, origin = resolve.configuration(house(policies), "meeting", BRANCH)
    assert (chosen.designate_as_presenter, origin) == ("company", f"service:{BRANCH}")


def test_global_always_exists() -> None:
    """J05: not written, it is the default."""
    policy, origin = resolve.effective(house({"external_access": {}}), "external_access", "ann@house.example")
    assert origin == "global"
    assert not policy.enable_outside_access


def test_groups_grant_to_their_members() -> None:
    users = {
        "groups": {"all": ["some", "ann@house.example"], "some": ["bea@house.example"]},
        "group_policies": {"all": {"external_access": "strict"}},
    }
    deployment = house(INSIDE_ONLY, users)
    for address in ("ann@house.example", "bea@house.example"):
        assert resolve.effective(deployment, "external_access", address)[1] == "user:strict"
    assert resolve.effective(deployment, "external_access", "ben@house.example")[1] == "global"
    everyone = {address: origin for address, _, origin in resolve.every_user(deployment, "external_access")}
    assert everyone == {
        address: resolve.effective(deployment, "external_access", address)[1]
        for address in deployment.directory.users
    }


def test_loops_of_groups_end() -> None:
    users = {"groups": {"a": ["b"], "b": ["a", "ann@house.example"], "c": ["c"]}}
    directory = house(users=users).directory
    assert resolve.members(directory, "a") == {"ann@house.example"}
    assert [set(loop) for loop in resolve.group_loops(directory)] == [{"a", "b"}, {"c"}]


def test_an_unknown_policy_is_no_silent_default() -> None:
    deployment = house(users={"users/ann@house.example/policies/external_access": "nowhere"})
    with pytest.raises(resolve.UnknownPolicyError, match="nowhere"):
        resolve.effective(deployment, "external_access", "ann@house.example")


# Domains

DISCOVERY = {"access_edge/enable_partner_discovery": True}


@pytest.mark.parametrize("outbound", [False, True])
def test_discovery(outbound: bool) -> None:
    """J06, J10, 8.1: an unlisted domain is admitted by discovery only, and a blocked one never."""

    def ask(domain: str, policies: dict[str, Any] | None = None) -> str | None:
        stranger = f"sam@{domain}"
        if outbound:
            return answer("internal", "M02", policies, to=stranger).reason
        return answer("federated", "M02", policies, who=stranger).reason

    assert ask("unlisted.example") == "domain-not-federated"
    assert ask("unlisted.example", DISCOVERY) is None
    assert ask("blocked.example", DISCOVERY) == "domain-blocked"
    assert ask("partner.example", {}) is None


def test_the_list_beats_discovery() -> None:
    """J06: a listed partner has none of the limits of a discovered one."""
    policies = {**DISCOVERY, "access_edge/discovered_partner_verification_level": "always_unverifiable"}
    assert answer("federated", "M02", policies, contact=False).allowed
    assert (
        answer("federated", "M02", policies, who="sam@unlisted.example", contact=False).reason
        == "not-a-contact"
    )


def test_hosting_provider() -> None:
    """8.1: any domain whose SRV leads to it; J10."""
    facts = {"who": "sam@customer.example", "srv_target": "sipfed.online.lync.com"}
    assert answer("federated", "M02", **facts).allowed
    off = {"hosting_providers/online/enabled": False}
    assert answer("federated", "M02", off, **facts).reason == "provider-off"


def test_default_route() -> None:
    """J10: without DNS SRV routing there are no providers, and what is not listed takes the default route."""
    policies: dict[str, Any] = {
        "access_edge/routing_method": "use_default_routing",
        "access_edge/default_route_fqdn": "hub.example",
        "public_providers": {},
        "hosting_providers": {},
    }
    stranger = "sam@unlisted.example"
    assert answer("federated", "M02", policies, who=stranger).allowed
    assert answer("federated", "M02", policies, who="sam@blocked.example").reason == "domain-blocked"
    # 8.7: on the default route an unmarked message is taken for unverified instead of being refused.
    facts: dict[str, Any] = {"who": stranger, "mark": "none", "contact": False}
    assert answer("federated", "M02", policies, **facts).reason == "not-a-contact"
    policies["access_edge/is_public_provider"] = True
    policies[OFF + "enable_public_cloud_access"] = False
    assert answer("federated", "M02", policies, who=stranger).reason == "public-access-off"


@pytest.mark.parametrize(
    ("level", "mark", "contact", "reason"),
    [
        ("always_verifiable", "none", False, None),
        ("always_unverifiable", "verifiable", False, "not-a-contact"),
        ("always_unverifiable", "none", True, None),
        ("use_source_verification", "verifiable", False, None),
        ("use_source_verification", "unverifiable", False, "not-a-contact"),
        ("use_source_verification", "unverifiable", True, None),
        ("use_source_verification", "none", True, "source-unverified"),
    ],
)
def test_verification_levels(level: str, mark: str, contact: bool, reason: str | None) -> None:
    """8.7, the same for providers and discovered partners."""
    facts: dict[str, Any] = {"mark": mark, "contact": contact}
    provider = {"public_providers/messenger/verification_level": level}
    assert answer("public", "M02", provider, **facts).reason == reason
    discovered = {**DISCOVERY, "access_edge/discovered_partner_verification_level": level}
    assert answer("federated", "M02", discovered, who="sam@unlisted.example", **facts).reason == reason
    hosting = {"hosting_providers/online/verification_level": level}
    facts |= {"who": "sam@customer.example", "srv_target": "sipfed.online.lync.com"}
    assert answer("federated", "M02", hosting, **facts).reason == reason


@pytest.mark.parametrize(
    ("kind", "ok"), [("federated", True), ("public_verified", True), ("public_unverified", False)]
)
def test_unverified_xmpp_partners_reach_contacts_only(kind: str, ok: bool) -> None:
    policies = {"xmpp_partners/0/partner_type": kind}
    assert answer("xmpp", "M02", policies, contact=False).allowed is ok
    assert answer("xmpp", "M02", policies, contact=True).allowed


def test_shared_address_space() -> None:
    """8.7: an unknown local user lives with the provider and is forwarded, not refused."""
    sharing = {"hosting_providers/online/enabled_shared_address_space": True}
    assert answer("remote", "M02", to="new@house.example").reason == "callee-unavailable"
    assert answer("remote", "M02", sharing, to="new@house.example").allowed
    off = {**sharing, "hosting_providers/online/enabled": False}
    assert answer("remote", "M02", off, to="new@house.example").reason == "callee-unavailable"
    split = {**sharing, "access_edge/allow_federated_users": False}
    assert answer("remote", "M02", split, to="new@house.example").reason == "federated-users-off"


def test_a_domain_comes_by_one_protocol() -> None:
    """A SIP partner's XMPP stream, and an XMPP partner's SIP request, are refused, with discovery too."""
    assert answer("xmpp", "M02", who="pat@partner.example").reason == "domain-not-federated"
    assert answer("federated", "M02", DISCOVERY, who="xen@jabber.example").reason == "domain-not-federated"


def test_blocked_counts_below_and_allowed_exactly() -> None:
    """J06; that a block counts below its domain is decision 7."""
    ask = "sam@deep.below.blocked.example"
    assert answer("federated", "M02", DISCOVERY, who=ask).reason == "domain-blocked"
    assert answer("internal", "M02", DISCOVERY, to=ask).reason == "domain-blocked"
    assert answer("federated", "M02", who="sam@below.partner.example").reason == "domain-not-federated"


def test_the_partner_s_edge_has_to_be_there() -> None:
    """9d: out, it is found, proves itself and answers; in, it only has to prove itself."""
    out = {"to": "pat@partner.example"}
    assert (
        answer("internal", "M02", **out, peer_found=False, peer_trusted=False).reason == "partner-not-found"
    )
    assert answer("internal", "M02", **out, peer_trusted=False, peer_answers=False).reason == "untrusted-peer"
    assert answer("internal", "M02", **out, peer_answers=False).reason == "partner-down"
    assert answer("federated", "M02", peer_found=False, peer_answers=False).allowed
    assert answer("federated", "M02", who="sam@unlisted.example", peer_trusted=False).reason == (
        "domain-not-federated"
    )


def test_only_discovered_partners_have_limits() -> None:
    """8.2: so many messages a second, so many of our users."""
    unlisted = "sam@unlisted.example"
    assert answer("federated", "M02", DISCOVERY, who=unlisted, within_rate=False).reason == "partner-too-fast"
    assert answer("federated", "M02", DISCOVERY, who=unlisted, within_contacts=False).reason == (
        "partner-too-many-contacts"
    )
    lifted = {**DISCOVERY, "access_edge/enable_discovered_partner_contacts_limit": False}
    assert answer("federated", "M02", lifted, who=unlisted, within_contacts=False).allowed
    assert answer("federated", "M02", within_rate=False, within_contacts=False).allowed


def test_the_others_have_a_say() -> None:
    """J07: both organisations; J09: the users' own lists act last."""
    assert answer("internal", "M02", to="pat@partner.example", peer_agrees=False).reason == "peer-refused"
    assert answer("federated", "M02", recipient_accepts=False).reason == "recipient-refused"
    blocked = {"access_edge/allow_federated_users": False}
    assert answer("federated", "M02", blocked, recipient_accepts=False).reason == "federated-users-off"


def test_organiser_and_participant() -> None:
    """J08: guests depend on the organiser's policy, sharing on each user's own."""
    closed = {"conferencing/user/closed": {"allow_anonymous_participants_in_meetings": False}}
    users = {"users/ben@house.example/policies/conferencing": "closed"}
    assert answer("anonymous", "M05", closed, users).reason == "anonymous-participants-off"
    assert answer("anonymous", "M05", closed, users, meeting=Meeting("ann@house.example")).allowed
    silent = {"conferencing/user/silent": {"enable_app_desktop_sharing": "none"}}
    users = {"users/ben@house.example/policies/conferencing": "silent"}
    meeting = Meeting("ben@house.example")
    assert answer("remote", "M07", silent, users, meeting=meeting).allowed
    assert answer("remote", "M07", silent, users, who="ben@house.example").reason == "sharing-off"


# Accounts and entry


@pytest.mark.parametrize("party", ["internal", "remote", "mobile"])
def test_accounts(party: str) -> None:
    """9a.7; the right password comes before what it reveals."""
    disabled = {"users/ann@house.example/enabled": False}
    strict = {OFF + "enable_outside_access": False}
    assert answer(party, "sign-in", who="nobody@house.example").reason == "unknown-user"
    assert answer(party, "sign-in", password_proven=False).reason == "wrong-password"
    assert answer(party, "sign-in", users=disabled).reason == "account-disabled"
    assert answer(party, "sign-in", users=disabled, password_proven=False).reason == "wrong-password"
    assert answer(party, "sign-in", strict, password_proven=False).reason == "wrong-password"
    assert answer(party, "M02", registered=False).reason == "not-registered"


def test_the_organisations_switch_does_not_reach_inside() -> None:
    policies = {"access_edge/allow_outside_users": False, OFF + "enable_outside_access": False}
    assert answer("internal", "sign-in", policies).allowed
    assert answer("internal", "M02", policies).allowed


def test_callees() -> None:
    assert answer("remote", "M02", callee_available=False).reason == "callee-unavailable"
    assert (
        answer("remote", "M02", users={"users/ben@house.example/enabled": False}).reason
        == "callee-unavailable"
    )
    assert answer("remote", "M02", to="nobody@house.example").reason == "callee-unavailable"


@pytest.mark.parametrize("party", ["remote", "mobile", "anonymous"])
def test_families(party: str) -> None:
    """S14: who has IPv6 only needs a listener with IPv6."""
    feature = "M05" if party == "anonymous" else "sign-in"
    four = {"networks/perimeter_out/ipv6": None}
    assert answer(party, feature, family="ipv6").allowed
    assert answer(party, feature, topology=four, family="ipv6").reason == "no-common-family"
    assert answer(party, feature, topology=four, family="ipv4").allowed


# Meetings


def test_meetings_that_are_not() -> None:
    """9c.5."""
    for meeting in (Meeting("ben@house.example", known=False), Meeting("nobody@house.example")):
        assert answer("anonymous", "M05", meeting=meeting).reason == "unknown-meeting"
    wrong = Meeting("ben@house.example", key_valid=False)
    assert answer("anonymous", "M05", meeting=wrong).reason == "unknown-meeting"
    assert answer("remote", "M05", meeting=wrong).allowed


def test_lobby() -> None:
    """9c.6, M28, X12."""
    policies = {"meeting/global/admit_anonymous_users_by_default": False}
    assert answer("anonymous", "M05", policies).reason == "in-lobby"
    assert answer("anonymous", "M28", policies).allowed
    assert answer("anonymous", "M05", policies, meeting=Meeting("ben@house.example", admitted=True)).allowed
    assert answer("anonymous", "M05", policies, meeting=Meeting("ben@house.example", kind="meet_now")).allowed
    assert answer("remote", "M05", policies, meeting=Meeting("ben@house.example")).allowed


def test_full_meetings() -> None:
    policies = {"conferencing/global/max_meeting_size": 3}
    full, room = Meeting("ben@house.example", participants=3), Meeting("ben@house.example", participants=2)
    assert answer("federated", "M05", policies, meeting=full).reason == "meeting-full"
    assert answer("federated", "M05", policies, meeting=room).allowed


@pytest.mark.parametrize(
    ("value", "party", "ok"),
    [
        ("none", "remote", False),
        ("none", "federated", False),
        ("company", "remote", True),
        ("company", "federated", False),
        ("everyone", "anonymous", True),
    ],
)
def test_presenters(value: str, party: str, ok: bool) -> None:
    """8.5, M09: organiser and promoted people always are."""
    policies = {"meeting/global/designate_as_presenter": value}
    meeting = Meeting("ben@house.example")
    assert answer(party, "M09", policies, meeting=meeting).allowed is ok
    assert answer(party, "M09", policies, meeting=Meeting("ben@house.example", promoted=True)).allowed
    assert answer("remote", "M09", policies, who="ben@house.example", meeting=meeting).allowed


def test_downloads_of_outsiders() -> None:
    """M13, 8.4."""
    policies = {"conferencing/global/allow_external_users_to_save_content": False}
    assert answer("anonymous", "M13", policies).reason == "save-content-off"
    assert answer("federated", "M13", policies).reason == "save-content-off"
    assert answer("remote", "M13", policies).allowed


def test_control_depends_on_who_shares() -> None:
    """M08, 8.4: each user's own policy decides who may take control of what that user shares."""
    policies = {"conferencing/user/open": {"allow_external_user_control": True}, "conferencing/global": {}}
    users = {"users/ann@house.example/policies/conferencing": "open"}
    own = Meeting("ben@house.example")
    anns = Meeting("ben@house.example", sharer="ann@house.example")
    assert answer("federated", "M08", policies, users, meeting=own).reason == "external-control-off"
    assert answer("federated", "M08", policies, users, meeting=anns).allowed

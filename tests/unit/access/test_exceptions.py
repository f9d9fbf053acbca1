"""Every documented exception (reference 1.3)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from access_world import answer
from pydantic import ValidationError

from edgewright.access.decision import Decision
from edgewright.access.request import Meeting
from edgewright.model.policy import PublicProvider

PROVIDER = "public_providers/messenger/"


def network(name: str) -> dict[str, Any]:
    return {PROVIDER + "network": name, PROVIDER + "ends": "2099-12-31"}


def sources(decision: Decision) -> set[str]:
    return {link.path[0] for link in decision.chain if link.kind in ("row", "note")}


@pytest.mark.parametrize(
    "feature",
    ["M03", "M04", "M05", "M06", "M07", "M08", "M09", "M10", "M11", "M12", "M13", "M16", "M17", "M30"],
)
def test_x01_public_im_has_no_conferences_and_no_files(feature: str) -> None:
    decision = answer("public", feature)
    assert decision.reason == "feature-not-supported"
    assert "X01" in sources(decision)


@pytest.mark.parametrize("provider", ["aol", "yahoo"])
def test_x02_only_messenger_has_audio_and_video(provider: str) -> None:
    for feature in ("M14", "M14-video"):
        assert answer("public", feature, network("windows_live")).allowed
        assert answer("public", feature, network(provider)).reason == "feature-not-supported"


CAPABLE = {
    "skype": {"M01", "M02", "M14"},
    "windows_live": {"M01", "M02", "M14", "M14-video"},
    "aol": {"M01", "M02"},
    "yahoo": {"M01", "M02"},
}


@pytest.mark.parametrize("provider", CAPABLE)
@pytest.mark.parametrize("feature", ["M01", "M02", "M14", "M14-video"])
def test_x03_capabilities_by_provider(provider: str, feature: str) -> None:
    decision = answer("public", feature, network(provider))
    assert decision.allowed is (feature in CAPABLE[provider])
    if not decision.allowed:
        assert sources(decision) & {"X02", "X03"}


def test_x03_capabilities_of_other_providers_are_written() -> None:
    policies = {PROVIDER + "network": "other"}
    assert answer("public", "M02", policies).allowed
    assert answer("public", "M14", policies).reason == "provider-cannot"
    assert answer("public", "M14", {**policies, PROVIDER + "capabilities": ["im", "audio"]}).allowed


def test_x03_nobody_writes_more_than_is_documented() -> None:
    with pytest.raises(ValidationError, match="no video"):
        PublicProvider(proxy_fqdn="sip.skype.example", network="skype", capabilities=("im", "video"))


@pytest.mark.parametrize(
    ("provider", "last"),
    [("aol", date(2014, 6, 30)), ("yahoo", date(2014, 6, 30)), ("windows_live", date(2013, 3, 15))],
)
def test_x04_ends(provider: str, last: date) -> None:
    policies = {PROVIDER + "network": provider, PROVIDER + "ends": None}
    assert answer("public", "M02", policies, on=last).allowed
    assert answer("public", "M02", policies, on=date(2015, 1, 1)).reason == "provider-ended"
    assert answer("public", "M02", {**policies, PROVIDER + "ends": "2015-12-31"}, on=date(2015, 1, 1)).allowed


def test_x05_licence_and_client_certificate() -> None:
    assert answer("public", "M02", network("yahoo"), licensed=False).reason == "provider-not-provisioned"
    assert answer("public", "M02", network("skype"), licensed=False).allowed
    assert "X05" in sources(answer("public", "M02", network("aol")))


@pytest.mark.parametrize("feature", ["M03", "M05", "M14", "M16", "M17", "M18"])
def test_x06_xmpp_has_messages_and_presence_only(feature: str) -> None:
    assert answer("xmpp", "M01").allowed
    assert answer("xmpp", "M02").allowed
    decision = answer("xmpp", feature)
    assert decision.reason == "feature-not-supported"
    assert feature == "M18" or "X06" in sources(decision)


def test_x07_other_endpoints_are_refused() -> None:
    for party in ("federated", "xmpp", "public"):
        assert answer(party, "M02", peer_trusted=False).reason == "untrusted-peer"


def test_x08_old_peers_do_not_fail_over() -> None:
    two = {"sites/hq/edge/hosts": ["edge1", "edge2"]}
    assert "X08" in sources(answer("public", "M02", topology=two))
    assert "X08" in sources(
        answer("federated", "M02", {"allowed_domains/0/product": "ocs_2007_r2"}, topology=two)
    )
    assert "X08" not in sources(answer("federated", "M02", topology=two))
    assert "X08" not in sources(answer("public", "M02"))
    assert "X08" not in sources(
        answer("public", "M02", topology={**two, "sites/hq/edge/sip_balancing": "balancer"})
    )


def test_x09_privacy_levels_belong_to_call_via_work() -> None:
    decision = answer("mobile", "M25")
    assert decision.reason == "not-part-of-deployment"
    assert "X09" in sources(decision)


def test_x10_idle_phones_are_signed_out() -> None:
    assert "X10" in sources(answer("mobile", "sign-in"))


def test_x11_the_store_app_uses_autodiscover_only() -> None:
    hidden = {"sites/hq/reverse_proxy": []}
    assert answer("remote", "sign-in", topology=hidden).allowed
    decision = answer("remote", "sign-in", topology=hidden, client="windows_store")
    assert decision.reason == "web-not-published"
    assert "X11" in sources(decision)
    assert answer("remote", "sign-in", client="windows_store").allowed


def test_x12_meet_now_ignores_the_configuration() -> None:
    policies = {
        "meeting/global/admit_anonymous_users_by_default": False,
        "meeting/global/designate_as_presenter": "none",
    }
    now = Meeting("ben@house.example", kind="meet_now")
    decision = answer("anonymous", "M05", policies, meeting=now)
    assert decision.allowed
    assert "X12" in sources(decision)
    assert answer("remote", "M09", policies, meeting=now).allowed


def test_x13_vpn() -> None:
    assert "X13" in sources(answer("remote", "M14"))

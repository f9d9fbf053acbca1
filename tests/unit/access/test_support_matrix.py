"""Every Y, N, condition and dash of the support matrix (reference 1.2), copied here by hand."""

from __future__ import annotations

from typing import Any

import pytest
from access_world import answer

from edgewright.access.features import FEATURES
from edgewright.access.reasons import REASONS
from edgewright.access.request import Meeting

COLUMNS = ("remote", "mobile", "federated", "xmpp", "public", "anonymous")
TABLE = """
M01 Y Y Y Y Y N
M02 Y Y Y Y Y N
M03 Y Y Y N N Y
M04 Y C Y N N N
M05 Y Y Y N N Y
M06 Y C Y N N Y
M07 Y N Y N N C
M08 Y N C N N C
M09 Y N C N N C
M10 Y Y C N N N
M11 Y C Y N N Y
M12 Y N Y N N C
M13 Y N Y N N Y
M14 Y Y Y N C N
M15 Y N - - - -
M16 Y Y Y N N Y
M17 Y N C N N N
M18 - - C N N -
M19 Y Y N N N N
M20 Y Y N N N N
M21 Y Y Y - - Y
M27 N C - - - -
M28 Y Y Y - - Y
M29 Y C - - - Y
M30 Y N C N N C
M31 Y Y - - - -
M32 Y N - - - -
M33 Y - N - - N
M34 Y Y N - - N
"""
ROWS = {
    line.split()[0]: dict(zip(COLUMNS, line.split()[1:], strict=True)) for line in TABLE.strip().splitlines()
}
CELLS = [(row, party, value) for row, columns in ROWS.items() for party, value in columns.items()]
ELSEWHERE = ("M22", "M23", "M24", "M25", "M26")


def test_all_rows_are_here() -> None:
    assert {f"M{number:02}" for number in range(1, 35)} == {*ROWS, *ELSEWHERE}
    assert {feature.row for feature in FEATURES.values()} - {"sign-in"} == {*ROWS, *ELSEWHERE}


@pytest.mark.parametrize(("row", "party"), [cell[:2] for cell in CELLS if cell[2] == "Y"])
def test_supported(row: str, party: str) -> None:
    facts: dict[str, Any] = {"meeting": Meeting("ann@house.example", kind="meet_now")} if row == "M10" else {}
    for feature in (feature.id for feature in FEATURES.values() if feature.row == row):
        decision = answer(party, feature, **facts)
        assert decision.allowed, decision.against


@pytest.mark.parametrize(("row", "party"), [cell[:2] for cell in CELLS if cell[2] == "N"])
def test_never(row: str, party: str) -> None:
    """No setting opens it: everything is open here; the answer names the row."""
    for feature in (feature.id for feature in FEATURES.values() if feature.row == row):
        decision = answer(party, feature)
        assert decision.reason == "feature-not-supported"
        assert decision.chain[0].kind == "row"
        assert decision.chain[0].path == (row,)


# M18 is about a partner: from our side it is the same act, and allowed (test_sharing_with_a_partner).
SENSELESS = [cell[:2] for cell in CELLS if cell[2] == "-" and cell[:2] != ("M18", "remote")]


@pytest.mark.parametrize(("row", "party"), SENSELESS)
def test_makes_no_sense(row: str, party: str) -> None:
    assert answer(party, row).reason == "feature-not-supported"


@pytest.mark.parametrize("row", ELSEWHERE)
@pytest.mark.parametrize("party", ["internal", *COLUMNS])
def test_other_products(row: str, party: str) -> None:
    decision = answer(party, row)
    assert decision.reason == "not-part-of-deployment"
    assert decision.chain[0].path == (row,)


ANDROID: dict[str, Any] = {"client": "android"}
STRANGER = {"meeting/global/designate_as_presenter": "company"}
CONDITIONS: list[tuple[str, str, dict[str, Any], dict[str, Any], str]] = [
    # row, party, what is changed of the policies, facts: then refused for this reason, else allowed
    ("M04", "mobile", {}, ANDROID, "client-lacks-feature"),
    ("M06", "mobile", {}, ANDROID, "client-lacks-feature"),
    ("M10", "mobile", {}, ANDROID, "client-lacks-feature"),
    ("M11", "mobile", {}, ANDROID, "client-lacks-feature"),
    ("M29", "mobile", {}, ANDROID, "client-lacks-feature"),
    ("M10", "mobile", {}, {"meeting": Meeting("ann@house.example")}, "client-lacks-feature"),
    ("M07", "anonymous", STRANGER, {}, "not-presenter"),
    ("M09", "anonymous", STRANGER, {}, "not-presenter"),
    ("M09", "federated", STRANGER, {}, "not-presenter"),
    ("M12", "anonymous", STRANGER, {}, "not-presenter"),
    ("M12-whiteboard", "anonymous", {"conferencing/global/allow_annotations": False}, {}, "annotations-off"),
    ("M12-polls", "anonymous", {"conferencing/global/allow_polls": False}, {}, "polls-off"),
    ("M12-files", "anonymous", {"conferencing/global/enable_file_transfer": False}, {}, "meeting-files-off"),
    (
        "M08",
        "federated",
        {"conferencing/global/allow_external_user_control": False},
        {},
        "external-control-off",
    ),
    (
        "M08",
        "anonymous",
        {"conferencing/global/allow_external_user_control": False},
        {},
        "external-control-off",
    ),
    (
        "M08",
        "federated",
        {"conferencing/global/allow_participant_control": False},
        {},
        "participant-control-off",
    ),
    (
        "M14",
        "public",
        {"external_access/global/enable_public_cloud_audio_video_access": False},
        {},
        "public-media-off",
    ),
    ("M17", "federated", {"allowed_domains/0/product": "ocs_2007_r2"}, {}, "partner-too-old"),
    ("M17", "federated", {"conferencing/global/enable_p2p_file_transfer": False}, {}, "file-transfer-off"),
    ("M18", "federated", {"allowed_domains/0/product": "ocs_2007"}, {}, "partner-too-old"),
    ("M30", "federated", {"conferencing/global/allow_conference_recording": False}, {}, "recording-off"),
    (
        "M30",
        "federated",
        {"conferencing/global/allow_external_users_to_record_meeting": False},
        {},
        "external-recording-off",
    ),
    ("M30", "anonymous", {"conferencing/global/allow_conference_recording": False}, {}, "recording-off"),
    (
        "M30",
        "anonymous",
        {"conferencing/global/allow_external_users_to_record_meeting": False},
        {},
        "external-recording-off",
    ),
    ("M27", "mobile", {}, {"client": "iphone"}, "client-lacks-feature"),
    (
        "M27",
        "mobile",
        {"push_notification/global/enable_microsoft_push_notification_service": False},
        {"client": "windows_phone"},
        "push-off",
    ),
]


@pytest.mark.parametrize(("row", "party", "policies", "facts", "reason"), CONDITIONS)
def test_condition(
    row: str, party: str, policies: dict[str, Any], facts: dict[str, Any], reason: str
) -> None:
    refused = answer(party, row, policies, **facts)
    assert refused.reason == reason, refused.against
    good: dict[str, Any] = {"client": "windows_phone"} if row == "M27" else {}
    allowed = answer(party, row, **good)
    assert allowed.allowed, allowed.against


def test_every_condition_is_tested() -> None:
    told = {(row.partition("-")[0], party) for row, party, *_ in CONDITIONS}
    # A federated user schedules here only with an account here, and then is a remote user (M10, U).
    assert {(row, party) for row, party, value in CELLS if value == "C"} <= told | {("M10", "federated")}


def test_scheduling_needs_an_account_here() -> None:
    decision = answer("federated", "M10")
    assert decision.reason == "feature-not-supported"
    assert decision.chain[0].path == ("M10",)


@pytest.mark.parametrize("product", ["ocs_2007_r2", "lync_2010", "lync_2013"])
def test_sharing_with_a_partner(product: str) -> None:
    policies = {"allowed_domains/0/product": product}
    assert answer("federated", "M18", policies).allowed
    assert answer("remote", "M18", policies).allowed
    assert answer("internal", "M18", policies).allowed


def test_sharing_needs_the_user_to_share() -> None:
    policies = {"conferencing/global/enable_app_desktop_sharing": "none"}
    assert answer("federated", "M18", policies).reason == "sharing-off"
    assert answer("remote", "M07", policies).reason == "sharing-off"


def test_no_calls_with_outsiders_from_a_phone() -> None:
    """M15: all four mobile platforms lack them, also where somebody calls M14 by its name."""
    decision = answer("mobile", "M14", to="pat@partner.example")
    assert decision.reason == "feature-not-supported"
    assert decision.chain[0].path == ("M15",)


@pytest.mark.parametrize(
    ("feature", "policies", "facts", "reason"),
    [
        ("M14", {"mobility/global/enable_ip_audio_video": False}, {}, "mobile-media-off"),
        ("M16-video", {"mobility/global/require_wifi_for_ip_video": True}, {"wifi": False}, "wifi-required"),
        ("M16", {"mobility/global/require_wifi_for_ip_audio": True}, {"wifi": False}, "wifi-required"),
        ("M16", {"mobility/global/require_wifi_for_ip_video": True}, {"wifi": False}, None),
        ("M16-video", {"mobility/global/require_wifi_for_ip_video": True}, {"wifi": True}, None),
    ],
)
def test_media_on_a_phone(
    feature: str, policies: dict[str, Any], facts: dict[str, Any], reason: str | None
) -> None:
    """8.6."""
    assert answer("mobile", feature, policies, **facts).reason == reason


def test_every_reason_is_known() -> None:
    for row, party, policies, facts, _ in CONDITIONS:
        for link in answer(party, row, policies, **facts).against:
            assert link.reason in REASONS

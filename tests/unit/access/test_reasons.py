"""The catalogue of reasons: complete, and telling outsiders nothing that they may not know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgewright.access.reasons import REASONS

ROOT = Path(__file__).parents[3]


def test_the_contract_is_kept() -> None:
    """Every id that docs/architecture.md promises is in the catalogue."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text.partition("## Reason ids")[2]
    promised = set(re.findall(r"`([a-z]+(?:-[a-z]+)+|malformed)`", section)) - {"ms-diagnostics-public"}
    assert "wrong-password" in promised
    assert promised <= set(REASONS)


def test_before_the_password_is_proven_all_look_alike() -> None:
    """House rule 5: unknown, disabled and wrong password have one face."""
    faces = {
        (reason.text, reason.sip, reason.http, reason.xmpp, reason.diagnostics_public)
        for reason in (REASONS[id_] for id_ in ("wrong-password", "unknown-user", "account-disabled"))
    }
    assert len(faces) == 1
    assert faces.pop()[4] is None


def test_diagnostics() -> None:
    """MS-OCER ids: which stay inside, and that only 4003 and 4004 go out."""
    assert {reason.diagnostics_public for reason in REASONS.values()} == {None, 4003, 4004}
    assert REASONS["outside-access-off"].diagnostics_public == 4003
    assert REASONS["outside-access-off"].diagnostics == 1012
    assert REASONS["federation-access-off"].diagnostics == 1002
    assert REASONS["public-access-off"].diagnostics == 1001
    assert REASONS["unknown-user"].diagnostics == 4005
    assert REASONS["untrusted-peer"].diagnostics == 1010


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: reason.id)
def test_each_reason(reason: object) -> None:
    reason = REASONS[reason.id]  # type: ignore[attr-defined]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", reason.id)
    assert reason.detail.endswith(".")
    assert reason.change.endswith(".")
    assert "\n" not in reason.detail + reason.change
    assert 100 <= reason.sip < 700
    assert 200 <= reason.http < 600
    # What outsiders read never speaks of policies and settings.
    assert not re.search(r"polic|setting|`|_", reason.text)


ENDINGS = (
    "off|blocked|federated|deployed|only|published|ended|cannot|unverified|contact|old|refused|required|presenter|"
    "full|lobby|meeting|family|unavailable|registered|disabled|supported|feature|deployment"
)


def test_no_reason_is_made_up_elsewhere() -> None:
    """Every id in the source of the decisions is in the catalogue, so that none hides in a rare branch."""
    folder = ROOT / "edgewright" / "access"
    names = ("decide", "decision", "meetings", "partners", "people")
    source = "".join((folder / f"{name}.py").read_text() for name in names)
    used = set(re.findall(rf'"([a-z0-9]+(?:-[a-z0-9]+)*-(?:{ENDINGS}))"', source))
    assert len(used) > 40
    assert used <= set(REASONS)

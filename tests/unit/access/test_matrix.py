"""The whole table, and what a change of policy opens and closes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from access_world import house

from edgewright.access import matrix, revisions, verbs
from edgewright.access.decide import decide
from edgewright.access.features import FEATURES
from edgewright.access.reasons import REASONS
from edgewright.model.load import load

CONTOSO = Path(__file__).parents[3] / "inventory" / "contoso"
CLOSED = {"external_access/user/strict": {}}


def test_every_party_and_feature_is_there() -> None:
    made = matrix.make(house())
    assert [column.label for column in made.columns] == [
        "internal", "remote", "mobile", "federated", "federated, unlisted", "hosted: online", "xmpp",
        "public: messenger", "anonymous",
    ]  # fmt: skip
    assert set(made.cells) == {(feature, column.label) for feature in FEATURES for column in made.columns}
    for cell in made.cells.values():
        assert cell.total == 3
        assert set(cell.refusals) <= set(REASONS)


def test_users_are_counted_by_profile() -> None:
    deployment = house(CLOSED, {"users/ann@house.example/policies/external_access": "strict"})
    made = matrix.make(deployment)
    assert len(made.users) == 3
    cell = made.cell("sign-in", "remote")
    assert (cell.allowed, cell.total, str(cell)) == (2, 3, "2/3")
    assert cell.refusals == {"outside-access-off": 1}
    assert str(made.cell("sign-in", "internal")) == "yes"
    assert str(made.cell("M22", "remote")) == "-"
    assert str(made.cell("M17", "xmpp")) == "no"


def test_profiles_decide_alike() -> None:
    """Everybody of a profile gets the answer of its first member."""
    deployment = house(CLOSED, {"users/bea@house.example/policies/external_access": "strict"})
    made = matrix.make(deployment)
    for feature in FEATURES.values():
        for column in made.columns:
            cell = made.cell(feature.id, column.label)
            for profile, addresses in made.users.items():
                for address in addresses:
                    request = matrix._request(deployment, feature, column, address, None)
                    assert decide(deployment, request).reason == cell.reasons[profile]


def test_formats() -> None:
    made = matrix.make(house(CLOSED, {"users/ann@house.example/policies/external_access": "strict"}))
    assert "2/3" in next(line for line in matrix.text(made).splitlines() if line.startswith("sign-in"))
    rows = [line for line in matrix.markdown(made).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert "2/3 (outside-access-off)" in rows[2]
    page = matrix.html(made)
    assert page.startswith("<!doctype html>")
    assert "http" not in page.replace("<!doctype html>", "")
    assert page.count("<tr>") == len(FEATURES) + 1
    assert json.loads(json.dumps(matrix.document(made)))["features"]["sign-in"]["remote"]["allowed"] == 2


@pytest.mark.parametrize(
    ("after", "column", "feature", "kind", "reason"),
    [
        ({"access_edge/allow_outside_users": False}, "remote", "sign-in", "closed", "outside-users-off"),
        (
            {"access_edge/enable_partner_discovery": True},
            "federated, unlisted",
            "M02",
            "opened",
            "domain-not-federated",
        ),
        (
            {"allowed_domains/0/domain": "new.example"},
            "federated: new.example",
            "M02",
            "opened",
            "domain-not-federated",
        ),
        (
            {"allowed_domains/0/domain": "new.example"},
            "federated: partner.example",
            "M02",
            "closed",
            "domain-not-federated",
        ),
        (
            {"blocked_domains": [{"domain": "jabber.example"}]},
            "xmpp: jabber.example",
            "M02",
            "closed",
            "domain-blocked",
        ),
        (
            {"allowed_domains/0/product": "ocs_2007"},
            "federated: partner.example",
            "M18",
            "closed",
            "partner-too-old",
        ),
        ({"public_providers/messenger/enabled": False}, "public: messenger", "M01", "closed", "provider-off"),
    ],
)
def test_differences(after: dict[str, Any], column: str, feature: str, kind: str, reason: str) -> None:
    changes = matrix.differences(house(), house(after))
    change = next(change for change in changes if (change.column, change.feature) == (column, feature))
    assert len(getattr(change, kind)) == 3
    assert not getattr(change, "opened" if kind == "closed" else "closed")
    assert change.reason == reason
    back = matrix.differences(house(after), house())
    assert {(one.feature, one.column, one.opened) for one in changes} == {
        (one.feature, one.column, one.closed) for one in back
    }


def test_no_difference() -> None:
    assert matrix.differences(house(), house({"access_edge/enable_archiving_disclaimer": True})) == []
    assert matrix.changes_text([]) == "Nothing changes for anybody."


def test_users_come_and_go() -> None:
    changes = matrix.differences(
        house(), house(users={"users/new@house.example": {"home": "fe.inside.house.example"}})
    )
    change = next(change for change in changes if (change.column, change.feature) == ("remote", "sign-in"))
    assert (change.opened, change.closed, change.reason) == (("new@house.example",), (), "unknown-user")


def test_one_user_for_another_is_a_difference() -> None:
    """Counts are the same; who they are is not."""
    before = house(CLOSED, {"users/ann@house.example/policies/external_access": "strict"})
    after = house(CLOSED, {"users/ben@house.example/policies/external_access": "strict"})
    change = next(
        one for one in matrix.differences(before, after) if (one.column, one.feature) == ("remote", "sign-in")
    )
    assert (change.opened, change.closed) == (("ann@house.example",), ("ben@house.example",))
    said = matrix.changes_text(matrix.differences(before, after))
    assert "opens  remote, for ann@house.example (was outside-access-off):" in said
    assert "closes remote, for ben@house.example (outside-access-off):" in said


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a deployment and its partner's below a folder."""
    folder = tmp_path / "inventory" / "contoso"
    for one in ("contoso", "fabrikam"):
        (folder.parent / one).mkdir(parents=True)
        for name in ("topology.yml", "policies.yml", "users.yml", "surroundings.yml"):
            (folder.parent / one / name).write_text((CONTOSO.parent / one / name).read_text())
    for arguments in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@example", "commit", "-q", "-m", "one"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    return folder


def test_a_revision(repository: Path) -> None:
    policies = repository / "policies.yml"
    text = policies.read_text()
    policies.write_text(text.replace("enable_outside_access: true\n", "enable_outside_access: false\n", 1))
    before = revisions.other(repository, "HEAD")
    assert before.name == "contoso"
    changes = matrix.differences(before, load(repository))
    change = next(one for one in changes if (one.column, one.feature) == ("remote", "sign-in"))
    assert "alice@contoso.example" in change.closed
    assert policies.read_text() != text


def test_another_deployment(repository: Path) -> None:
    assert revisions.other(CONTOSO, str(repository)).folder == repository


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", "HEAD~7"])
def test_revisions_that_are_not(repository: Path, revision: str) -> None:
    with pytest.raises(revisions.RevisionError):
        revisions.other(repository, revision)


def test_not_in_git(tmp_path: Path) -> None:
    with pytest.raises(revisions.RevisionError, match="git"):
        revisions.at(tmp_path, "HEAD")


def test_what_opens_comes_first() -> None:
    policies = {"access_edge/enable_partner_discovery": True, "access_edge/allow_anonymous_users": False}
    changes = matrix.differences(house(), house(policies))
    verbs_ = [one.verb for one in matrix.together(changes)]
    assert verbs_ == sorted(verbs_, reverse=True)
    assert set(verbs_) == {"opens", "closes"}
    rows = matrix.changes_markdown(changes).splitlines()
    assert len({line.count("|") for line in rows}) == 1
    page = matrix.changes_html(changes)
    assert page.count("<tr class=") == len(rows) - 2


def test_verbs(repository: Path) -> None:
    for form in ("text", "markdown", "html", "json"):
        assert "sign-in" in verbs.matrix(CONTOSO, form=form) or form != "text"  # type: ignore[arg-type]
        assert verbs.matrix_diff(repository, "HEAD", form=form)  # type: ignore[arg-type]
    assert json.loads(verbs.matrix_diff(repository, "HEAD", form="json")) == []
    answer = json.loads(verbs.explain(CONTOSO, ["carol", "sign-in"], as_json=True))
    assert (answer["allowed"], answer["reason"]) == (False, "outside-access-off")
    assert verbs.explain(CONTOSO, ["alice", "sign-in"], origin="client6").startswith(
        "Allowed: alice@contoso.example"
    )

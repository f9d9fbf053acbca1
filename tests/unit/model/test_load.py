from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgewright.model import InputErrors, load
from edgewright.model.check import check
from edgewright.model.documents import read

sys.path.insert(0, str(Path(__file__).parent))
from deployments import SOURCES, copy


@pytest.mark.parametrize("name", SOURCES)
def test_the_shipped_deployments_load_and_nothing_is_wrong(name: str) -> None:
    report = check(SOURCES[name])
    assert report.errors == ()
    assert report.warnings == ()
    assert report.deployment
    assert report.deployment.name == name


def test_names_homes_and_realm() -> None:
    contoso = load(SOURCES["contoso"])
    assert contoso.realm == "contoso.example"
    assert contoso.home("alice@contoso.example") == "fe.inside.contoso.example"
    two = load(SOURCES["two-of-each"])
    assert two.home("leo@litware.example") == "fe.branch.corp.litware.example"
    assert two.directory.users["mia@labs.example"].name == "Mia Moss, Dr."
    assert not two.directory.users["noah@labs.example"].enabled
    assert two.directory.users["lea@litware.example"].policies == {"external_access": "everything"}


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    folder = copy("minimal", tmp_path)
    before = load(folder).digest
    topology = folder / "topology.yml"
    text = topology.read_text()
    topology.write_text(
        "# a comment\n"
        + text.replace("federation: false\n      xmpp: false", "xmpp: false\n      federation: false")
    )
    assert load(folder).digest == before
    (folder / "users.yml").write_text(
        "schema: 1\nusers:\n"
        "  ben@minimal.example: {policies: {external_access: inside-only}, name: Ben Baker, enabled: true}\n"
        "  ann@minimal.example: {name: Ann Archer}\n"
    )
    assert load(folder).digest == before
    topology.write_text(text.replace("organization: Minimal", "organization: Minimum"))
    assert load(folder).digest != before
    (folder / "surroundings.yml").unlink()
    topology.write_text(text)
    assert load(folder).digest != before


def test_users_as_table_and_as_yaml_are_the_same(tmp_path: Path) -> None:
    folder = copy("minimal", tmp_path)
    before = load(folder)
    (folder / "users.yml").unlink()
    (folder / "users.csv").write_text(
        "external_access,name,address\n"
        "inside-only,Ben Baker,ben@minimal.example\n"
        ",Ann Archer,ann@minimal.example\n"
    )
    after = load(folder)
    assert after.directory == before.directory
    assert after.digest == before.digest


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        load(tmp_path / "nowhere")
    assert "there is no such folder" in str(caught.value)


def test_load_refuses_what_does_not_fit_together(tmp_path: Path) -> None:
    folder = copy("minimal", tmp_path)
    (folder / "users.yml").write_text("schema: 1\nusers: {ann@elsewhere.example: {}}\n")
    with pytest.raises(InputErrors) as caught:
        load(folder)
    assert [finding.line for finding in caught.value.findings] == [4, 4, 2]


def test_a_large_directory_is_read_in_a_second_or_two(tmp_path: Path) -> None:
    folder = copy("minimal", tmp_path)
    (folder / "users.yml").unlink()
    rows = "".join(f"user{n}@minimal.example,User {n},,,,,,\n" for n in range(100_000))
    header = "address,name,home,enabled,external_access,conferencing,mobility,pin\n"
    (folder / "users.csv").write_text(
        header + "ann@minimal.example,,,,,,,\nben@minimal.example,,,,,,,\n" + rows
    )
    started = time.process_time()
    found = load(folder)
    spent = time.process_time() - started
    assert len(found.directory.users) == 100_002
    assert spent < 5, f"{spent:.2f} s of processor time"


def test_a_bad_row_among_many_is_found(tmp_path: Path) -> None:
    folder = copy("minimal", tmp_path)
    rows = "".join(f"user{n}@minimal.example\n" for n in range(10_000))
    (folder / "users.csv").write_text("address\n" + rows + "User@minimal.example\n")
    said = [str(finding) for finding in check(folder).errors]
    assert len(said) == 1
    assert "users.csv:10002: address 'User@minimal.example' should be a lower-case SIP address" in said[0]


def test_aliases_that_multiply_and_deep_nesting_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "any.yml"
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    path.write_text("l0: &l0 [a, a]\n" + "\n".join(levels))
    assert "more than 1000000 values" in read(path).findings[0].message
    path.write_text("a: " + "[" * 2000 + "]" * 2000)
    assert "nesting depth" in read(path).findings[0].message
    path.write_text("\n".join(" " * depth + "a:" for depth in range(900)))
    assert "nested too deeply" in read(path).findings[0].message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.sampled_from("ab:{}[],-\n \t'\"#&*!|>%@`1é\x00"), max_size=60))
def test_no_text_makes_reading_fail(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yml"
    path.write_text(text)
    document = read(path)
    last = text.count("\n") + 2
    assert all(1 <= finding.line <= last for finding in document.findings)
    assert all(1 <= line <= last for line in document.lines.values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_edit_makes_checking_fail(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever line is cut, doubled or mangled: findings with lines of the file, never an exception."""
    folder = tmp_path / "minimal"
    if not folder.exists():
        copy("minimal", tmp_path)
    name = data.draw(st.sampled_from(["topology.yml", "policies.yml", "users.yml", "surroundings.yml"]))
    original = (SOURCES["minimal"] / name).read_text()
    lines = original.splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    edit = data.draw(st.sampled_from(["cut", "double", "indent", "empty", "colon", "number"]))
    line = lines[index]
    lines[index : index + 1] = {
        "cut": [],
        "double": [line, line],
        "indent": ["  " + line],
        "empty": [line.partition(":")[0] + ":"],
        "colon": [line.replace(": ", " ")],
        "number": [line.partition(":")[0] + ": 7"],
    }[edit]
    (folder / name).write_text("\n".join(lines))
    try:
        report = check(folder)
    finally:
        (folder / name).write_text(original)
    assert all(1 <= one.line <= len(lines) + 1 for one in report.findings if one.file.name == name)

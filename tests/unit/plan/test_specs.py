"""Argument specs and READMEs of the roles are those of their settings models.

`EDGEWRIGHT_UPDATE_GOLDEN=1` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from pydantic import BaseModel

from edgewright import model, plan
from edgewright.plan import roles, specs

ROOT = Path(__file__).parents[3]
ROLES = [name for name in roles.ORDER if roles.module(name) and (ROOT / "roles" / name / "tasks").is_dir()]
DEPLOYMENTS = [ROOT / "inventory/contoso", ROOT / "inventory/minimal", ROOT / "tests/deployments/two-of-each"]


def defaults(role: str) -> str:
    path = ROOT / "roles" / role / "defaults/main.yml"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("file", "make"), [("meta/argument_specs.yml", specs.argument_specs), ("README.md", specs.readme)]
)
def test_as_the_model_says(role: str, file: str, make: object) -> None:
    assert callable(make)
    path, text = ROOT / "roles" / role / file, make(role, defaults(role))
    if os.environ.get("EDGEWRIGHT_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path} is missing: EDGEWRIGHT_UPDATE_GOLDEN=1 writes it"
    assert path.read_text() == text, f"{path}: EDGEWRIGHT_UPDATE_GOLDEN=1 writes it anew"


@pytest.mark.parametrize("folder", DEPLOYMENTS, ids=lambda path: path.name)
def test_ansible_takes_what_the_plan_gives(folder: Path) -> None:
    for host, settings in plan.make(model.load(folder)).settings.items():
        for role, values in settings.items():
            document = yaml.safe_load(specs.argument_specs(role, defaults(role)))
            options = document["argument_specs"]["main"]["options"]
            result = ArgumentSpecValidator(options).validate({role: values})
            assert not result.error_messages, (host, role, result.error_messages)


def test_every_knob_says_what_it_is_for() -> None:
    for role in ROLES:
        for name, _, text in specs.knobs(defaults(role)):
            assert name.startswith(f"{role}_"), name
            assert text, name


class Inner(BaseModel):
    """Something within."""

    port: int
    """TCP port."""


class Outer(BaseModel):
    """Every shape that settings may have."""

    kind: Literal["a", "b"]
    """Which one."""
    inner: Inner | None
    """May be nothing."""
    many: tuple[Inner, ...] = ()
    names: dict[str, str]
    flag: bool = False


def test_shapes() -> None:
    assert specs._options(Outer) == {
        "kind": {"description": "Which one.", "type": "str", "choices": ["a", "b"], "required": True},
        "inner": {
            "description": "May be nothing.",
            "type": "dict",
            "options": {"port": {"description": "TCP port.", "type": "int", "required": True}},
        },
        "many": {
            "description": "Something within.",
            "type": "list",
            "elements": "dict",
            "options": {"port": {"description": "TCP port.", "type": "int", "required": True}},
        },
        "names": {"description": "Names.", "type": "dict", "required": True},
        "flag": {"description": "Flag.", "type": "bool"},
    }

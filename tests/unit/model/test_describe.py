from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from edgewright.model import describe
from edgewright.model.lint import RULES
from edgewright.model.load import FILES

sys.path.insert(0, str(Path(__file__).parent))
from deployments import ROOT, SOURCES


def test_the_documents_tables_are_those_of_the_models() -> None:
    text = (ROOT / "docs" / "describe.md").read_text()
    assert text == describe.generated(text), "run: python -m edgewright.model.describe"


def test_every_field_says_what_it_means() -> None:
    bare = [
        f"{model.__name__}.{name}"
        for models in describe.MODELS.values()
        for model in models
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert bare == []


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("deployment", SOURCES)
def test_an_editor_accepts_what_we_accept(deployment: str, file: str) -> None:
    path = SOURCES[deployment] / file
    if path.exists():
        jsonschema.validate(yaml.safe_load(path.read_text()), describe.schema(file))


def test_an_editor_sees_a_wrong_field() -> None:
    described = yaml.safe_load((SOURCES["minimal"] / "topology.yml").read_text())
    described["sites"]["office"]["edge"]["nexthop"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(described, describe.schema("topology.yml"))


def test_every_rule_that_needs_no_plan_has_a_broken_example() -> None:
    broken = ROOT / "tests" / "deployments" / "broken"
    expected: list[Any] = [case["expect"] for case in yaml.safe_load((broken / "lint.yml").read_text())]
    said = json.dumps(expected)
    assert [rule.id for rule in RULES if not rule.planned and f"[{rule.id}]" not in said] == []

"""Argument specifications and READMEs of roles are what their settings models say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_role_docs", ROOT / "tools/generate_role_docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_generated_files_are_up_to_date(generator: ModuleType) -> None:
    for path, text in generator.wanted().items():
        assert path.read_text() == text, f"{path}: run tools/generate_role_docs.py"


def test_every_role_takes_one_dict_and_its_own_knobs(generator: ModuleType) -> None:
    for path, text in generator.wanted().items():
        if path.name != "argument_specs.yml":
            continue
        role = path.parents[1].name
        options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
        assert options[role]["required"]
        assert all(name == role or name.startswith(f"{role}_") for name in options)
        assert all(option.get("description") for option in options.values()), f"{path}: a knob without a word"


def test_every_role_is_in_the_playbook_in_order() -> None:
    from edgewright.plan import roles

    first, *later = yaml.safe_load((ROOT / "playbooks/site.yml").read_text())
    assert (first["hosts"], first["tags"]) == ("role_base", ["base"])
    assert ("base", *(role for play in later for role in play["vars"]["play_roles"])) == roles.ORDER
    assert not any(play["gather_facts"] for play in (first, *later))


@pytest.mark.parametrize("name", ["contoso", "fabrikam", "minimal"])
def test_no_host_with_a_role_is_left_out_of_its_play(name: str) -> None:
    from edgewright import model, plan
    from edgewright.plan import roles

    plays = yaml.safe_load((ROOT / "playbooks/site.yml").read_text())[1:]
    for host, settings in plan.make(model.load(ROOT / "inventory" / name)).settings.items():
        assert list(settings) == [role for role in roles.ORDER if role in settings]
        groups = {f"role_{role}" for role in settings}
        for play in plays:
            left = set(play["vars"]["play_roles"]) & set(settings)
            assert not left or groups & set(play["hosts"].split(":")), f"{host} never gets {left}"

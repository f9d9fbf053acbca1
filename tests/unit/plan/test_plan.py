"""The plan as a whole: the same input gives the same text, in every form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgewright.plan import PlanError, render, roles

ROOT = Path(__file__).parents[3]

SCRIPT = """
import hashlib, pathlib
from edgewright.model import load
from edgewright.plan import make, render
plan = make(load(pathlib.Path("inventory/contoso")))
text = "".join(render.show(plan, form, width=200) for form in ("table", "json", "markdown", "zone", "nft"))
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_two_runs_with_other_hash_seeds_are_equal():
    found = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_json_is_complete_and_selectable(plan):
    whole = json.loads(render.show(plan, "json"))
    assert whole["schema"] == 1
    assert set(whole["hosts"]) == set(plan.hosts)
    assert json.loads(render.show(plan, "json", "flows")) == whole["flows"]


@pytest.mark.parametrize("section", render.SHEETS)
@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_every_section_can_be_shown_alone(plan, form, section):
    assert render.show(plan, form, section)


def test_files_have_names(plan_of):
    plan = plan_of("contoso")
    assert "outside/contoso.example.zone" in render.files(plan, "zone")
    assert set(render.files(plan, "nft")) == {f"{name}.nft" for name in plan.hosts}
    assert list(render.files(plan, "nft", "edge1")) == ["edge1.nft"]


@pytest.mark.parametrize(("form", "section"), [("table", "nonsense"), ("zone", "nonsense"), ("nft", "edge9")])
def test_an_unknown_section_says_which_there_are(plan_of, form, section):
    with pytest.raises(render.UnknownSectionError, match="there are"):
        render.show(plan_of("contoso"), form, section)


def test_settings_only_of_roles_that_the_host_has(plan):
    for name, found in plan.settings.items():
        assert set(found) <= set(plan.hosts[name].roles)
        assert json.loads(json.dumps(found)) == found


def test_registered_roles_are_in_order():
    for kind, names in roles.ROLES_OF_KIND.items():
        found = roles.of_kind(kind)
        assert list(found) == sorted(found, key=roles.ORDER.index)
        assert set(found) <= set(names)


def test_pools_that_would_share_flow_ids_are_refused(variant):
    def add(topology):
        site = topology["sites"]["hq"]
        site["edge"] = [
            site["edge"] | {"pool": "edge.a.inside.contoso.example"},
            site["edge"]
            | {
                "pool": "edge-a.inside.contoso.example",
                "hosts": ["edge2"],
                "access": {"fqdn": "sip2.contoso.example"},
                "web_conferencing": {"fqdn": "webconf2.contoso.example"},
                "av": {"fqdn": "av2.contoso.example"},
            },
        ]
        topology["routes"] = {}
        site["front_end"]["media"] = "edge-a.inside.contoso.example"

    with pytest.raises(PlanError, match="rename"):
        variant("contoso", add)

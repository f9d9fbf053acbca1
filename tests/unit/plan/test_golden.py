"""The whole plan of four deployments, as an operator sees it, against the files in tests/golden.

`EDGEWRIGHT_GOLDEN=write` writes them anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgewright.plan import render

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("name", ["contoso", "minimal", "coffee", "two-of-each"])
@pytest.mark.parametrize(("form", "suffix"), [("markdown", "md"), ("zone", "zones"), ("nft", "nft")])
def test_as_before(plan_of, name, form, suffix):
    path = GOLDEN / name / f"plan.{suffix}"
    text = render.show(plan_of(name), form)
    if os.environ.get("EDGEWRIGHT_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()

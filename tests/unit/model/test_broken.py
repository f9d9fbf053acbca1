"""Everything in tests/deployments/broken: wrong descriptions and exactly what is said about them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgewright.model.check import check

sys.path.insert(0, str(Path(__file__).parent))
from deployments import ROOT, changed

BROKEN = ROOT / "tests" / "deployments" / "broken"


def cases() -> list[Any]:
    found = []
    for path in sorted(BROKEN.glob("*.yml")):
        every = yaml.safe_load(path.read_text())
        found += [pytest.param(case, id=f"{path.stem}-{case['name'].replace(' ', '-')}") for case in every]
    return found


@pytest.mark.parametrize("case", cases())
def test_says_what_is_wrong_and_where(case: dict[str, Any], tmp_path: Path) -> None:
    folder = changed(case, tmp_path)
    report = check(folder)
    said = [str(finding).replace(str(folder) + "/", "") for finding in report.findings if not finding.waived]
    assert said == case["expect"]

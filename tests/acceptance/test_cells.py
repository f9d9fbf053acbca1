"""Every cell of the deployment is proven."""

from __future__ import annotations

from edgewright.proof.results import Results


def test_cell(cell: str, results: Results) -> None:
    result = results.get(cell)
    assert result is not None, "the cell did not run"
    steps = "\n".join(result.observed.transcript)
    assert result.verdict == "proven", f"{result.verdict}: {result.why}\n{steps}"


def test_every_host_could_be_asked(results: Results) -> None:
    assert results.problems == ()


def test_every_refusal_has_a_positive_control_in_the_run(results: Results) -> None:
    refusals = [result.cell for result in results.results if not result.cell.expected.allowed]
    without = [cell.id for cell in refusals if cell.control is None or results.get(cell.control) is None]
    assert refusals
    assert without == []

"""The evidence page: one HTML file, no other file or address is loaded by it."""

from __future__ import annotations

import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edgewright.plan.types import Plan
from edgewright.proof.evidence import reach, topology
from edgewright.proof.results import VERDICTS, Results, document

MEANING = {
    "proven": "what was expected happened, for the expected reason",
    "broken": "it should work and did not",
    "leaking": "it should be refused and worked",
    "misreported": "refused, but for another reason than expected or shown otherwise",
    "inconclusive": "nothing can be said: the probe, or the positive control, failed",
}


def render(results: Results, plan: Plan) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("edgewright.proof.evidence", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source, _, _ = environment.loader.get_source(environment, "page.css")  # type: ignore[union-attr]
    script, _, _ = environment.loader.get_source(environment, "page.js")  # type: ignore[union-attr]
    return environment.get_template("page.html").render(
        results=results,
        verdicts=VERDICTS,
        meaning=MEANING,
        style=Markup(source),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        data=embedded(_data(results)),
        topology=Markup(topology.render(plan)),  # noqa: S704 - escapes all it takes from the plan
        organization=plan.deployment,
        reach=reach.make(results.results),
    )


def _data(results: Results) -> dict[str, Any]:
    """results.json with each cell's transcript."""
    whole = document(results)
    for cell, result in zip(whole["cells"], results.results, strict=True):
        cell["transcript"] = list(result.observed.transcript)
    return whole


def embedded(data: dict[str, Any]) -> Markup:
    """JSON that cannot end the script element it stands in, whatever a server sent."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704 - escaped

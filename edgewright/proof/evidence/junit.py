"""JUnit XML: one test case per cell; not proven is a failure, inconclusive an error."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from edgewright.proof.results import Results

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(results: Results) -> str:
    """The document, one suite for the deployment; the class name is the area of the cell."""
    summary = results.summary
    errors = summary["inconclusive"]
    failures = len(results.results) - summary["proven"] - errors
    suite = ET.Element(
        "testsuite",
        name=f"edgewright {results.deployment}",
        tests=str(len(results.results)),
        failures=str(failures),
        errors=str(errors),
        skipped="0",
        time=f"{results.seconds:.1f}",
        timestamp=results.started.strftime("%Y-%m-%dT%H:%M:%S"),
    )
    for result in results.results:
        area, _, name = result.cell.id.partition("/")
        case = ET.SubElement(suite, "testcase", classname=area, name=name, time=f"{result.seconds:.3f}")
        if result.verdict != "proven":
            tag = "error" if result.verdict == "inconclusive" else "failure"
            found = ET.SubElement(case, tag, type=result.verdict, message=_clean(result.why))
            found.text = _clean("\n".join(result.observed.transcript))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _clean(text: str) -> str:
    """`text` without characters that XML 1.0 does not know."""
    return _FORBIDDEN.sub("�", text)

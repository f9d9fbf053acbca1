"""`edgewright explain` and `edgewright matrix` without the command line around them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from edgewright.access import explain as explaining
from edgewright.access import matrix as matrices
from edgewright.access import revisions
from edgewright.model.load import load

Format = Literal["text", "markdown", "html", "json"]


def explain(
    folder: Path, words: list[str], *, origin: str = "outside", srv: str | None = None, as_json: bool = False
) -> str:
    """The answer to a question in words (see `explain.ask`), as text or JSON with `allowed` and `reason`.

    Raises:
        InputErrors: the description cannot be used.
        QuestionError: the question cannot be understood.
    """
    decision = explaining.explain(load(folder), words, origin, srv)
    return _json(explaining.document(decision)) if as_json else explaining.text(decision)


def matrix(folder: Path, *, form: Format = "text") -> str:
    """Parties x features as the deployment allows them.

    Raises:
        InputErrors: the description cannot be used.
    """
    made = matrices.make(load(folder), on=explaining.today())
    if form == "json":
        return _json(matrices.document(made))
    return {"text": matrices.text, "markdown": matrices.markdown, "html": matrices.html}[form](made).rstrip(
        "\n"
    )


def matrix_diff(folder: Path, other: str, *, form: Format = "text") -> str:
    """What changed since a git revision, or against another deployment's folder: what it opens and closes.

    Raises:
        InputErrors: one of the descriptions cannot be used.
        RevisionError: `other` is neither a deployment's folder nor a revision that has this one.
    """
    changes = matrices.differences(revisions.other(folder, other), load(folder), explaining.today())
    if form == "json":
        return _json(matrices.changes_document(changes))
    if form == "markdown":
        return matrices.changes_markdown(changes)
    if form == "html":
        return matrices.changes_html(changes)
    return matrices.changes_text(changes)


def _json(value: object) -> str:
    return json.dumps(value, indent=2)

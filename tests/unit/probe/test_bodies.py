"""Bodies of messages that the probe sends."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from edgewright_probe import bodies

WHO = {"user": "alice@contoso.example", "to": "bob@contoso.example", "text": "cell 123abc"}


@pytest.mark.parametrize("kind", ["text/plain", "text/html", bodies.TYPING, bodies.REPORT, "image/x"])
def test_the_text_is_in_every_kind(kind: str) -> None:
    assert WHO["text"] in bodies.make(WHO | {"content_type": kind})[1]


@pytest.mark.parametrize("kind", [bodies.TYPING, bodies.REPORT])
def test_documents_are_xml(kind: str) -> None:
    assert ET.fromstring(bodies.make(WHO | {"content_type": kind})[1].encode())


def test_a_wrapped_one_has_two_heads() -> None:
    kind, body = bodies.make(WHO | {"content_type": bodies.WRAPPER, "wraps": "text/plain"})
    outer, inner, text = body.split("\r\n\r\n")
    assert kind == bodies.WRAPPER
    assert "imdn.Disposition-Notification: positive-delivery" in outer
    assert "Content-Type" not in outer
    assert inner == "Content-Type: text/plain"
    assert text.startswith(WHO["text"])


def test_a_size_is_met_to_the_byte() -> None:
    for size in (100, 32768, 32769):
        assert len(bodies.make(WHO | {"size": size})[1].encode()) == size

"""Bodies of messages: what a client of some kind would send, with the text of the cell in it."""

from __future__ import annotations

from typing import Any

from .sip_client import PLAIN

TYPING = "application/im-iscomposing+xml"
REPORT = "message/imdn+xml"
WRAPPER = "message/cpim"

_FORMS = {
    TYPING: '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
    "<state>active</state><contenttype>text/plain</contenttype><!-- {text} --></isComposing>\n",
    REPORT: '<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">'
    "<message-id>{text}</message-id><datetime>2026-01-01T00:00:00Z</datetime>"
    "<delivery-notification><status><delivered/></status></delivery-notification></imdn>\n",
    "text/html": "<p>{text} <b>Gr\u00fc\u00dfe</b> &amp; \u4f60\u597d</p>",
    "text/plain": "{text} Gr\u00fc\u00dfe, \u043f\u0440\u0438\u0432\u0435\u0442, \u4f60\u597d \U0001f642",
}


def make(arguments: dict[str, Any]) -> tuple[str, str]:
    """Content type and body of a message with `text`.

    `content_type` (default: text) may have parameters; `wraps`: the type of what a message/cpim wraps, with a
    request for a report (RFC 3862, RFC 5438); `size`: the body is filled up to so many bytes; `begins`: what
    stands before the text, such as a command to a meeting.
    """
    kind = str(arguments.get("content_type", PLAIN))
    inner = arguments.get("wraps")
    given = str(inner) if inner else str(arguments.get("content_type", ""))
    body = _form(given, str(arguments["text"]))
    if inner:
        body = _wrap(str(inner), body, str(arguments["user"]), str(arguments["to"]))
    body = " ".join(part for part in (str(arguments.get("begins", "")), body) if part)
    missing = int(arguments.get("size", 0)) - len(body.encode())
    return kind, body + "x" * max(missing, 0)


def _form(kind: str, text: str) -> str:
    plain = kind.partition(";")[0].strip().lower()
    return _FORMS.get(plain, "{text}").replace("{text}", text)


def _wrap(kind: str, body: str, sender: str, to: str) -> str:
    report = kind.startswith(REPORT)
    outer = [
        f"From: <sip:{sender}>",
        f"To: <sip:{to}>",
        "DateTime: 2026-01-01T00:00:00Z",
        "NS: imdn <urn:ietf:params:imdn>",
        "imdn.Message-ID: probe",
        *([] if report else ["imdn.Disposition-Notification: positive-delivery, negative-delivery"]),
    ]
    wrapped = [f"Content-Type: {kind}", *(["Content-Disposition: notification"] if report else [])]
    return "\r\n".join([*outer, "", *wrapped, "", body])

"""XCAP (RFC 4825): contact lists, services of lists and privacy rules, each user's own, as whole documents.

`/xcap-root/<application>/users/<address>/<document>`: GET, PUT, DELETE with entity tags. Element selectors
(`~~`) are not served. What is stored is checked first: well-formed, UTF-8, no document type, the right root,
and at most `CONTACTS` contacts (reference 10.2).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NoReturn, Protocol
from xml.parsers import expat

from edgewright_web.problems import ProblemError

ROOT = "/xcap-root"
CONTACTS = 1000
"""Contacts in one list document (10.2)."""
LIMIT = 262144
"""Bytes of a document."""
DEPTH = 32
"""Elements within one another."""

CAPABILITIES_TYPE = "application/xcap-caps+xml"
_ADDRESS = re.compile(r"(?:sips?:)?([^@/\s]+@[^@/\s:;?]+)", re.IGNORECASE)
_TAG = re.compile(r'\s*(?:W/)?(\*|"[^"]*")\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Application:
    """An XCAP application: media type, root element with namespace, number in the database (Kamailio's)."""

    name: str
    media_type: str
    root: str
    kind: int
    documents: tuple[str, ...] = ("index",)


_RULES = "urn:ietf:params:xml:ns:common-policy ruleset"
_LISTS = "urn:ietf:params:xml:ns:resource-lists"
_SERVICES = "urn:ietf:params:xml:ns:rls-services"
APPLICATIONS = {
    app.name: app
    for app in (
        Application("resource-lists", "application/resource-lists+xml", f"{_LISTS} resource-lists", 4),
        Application("rls-services", "application/rls-services+xml", f"{_SERVICES} rls-services", 8),
        Application("pres-rules", "application/auth-policy+xml", _RULES, 2),
        Application(
            "org.openmobilealliance.pres-rules",
            "application/auth-policy+xml",
            _RULES,
            2,
            ("pres-rules", "index"),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a user."""

    application: Application
    address: str
    name: str

    @property
    def uri(self) -> str:
        """What it is called in the database: its path below the root."""
        return f"{self.application.name}/users/sip:{self.address}/{self.name}"


class UnavailableError(Exception):
    """The documents cannot be reached: nothing was done, nobody is blamed."""


class Documents(Protocol):
    """Where documents are (`database.Documents`). All may raise `UnavailableError`."""

    def get(self, document: Document) -> tuple[bytes, str] | None:
        """Content and entity tag; None if there is no such document."""

    def put(
        self, document: Document, body: bytes, tag: str, if_match: Sequence[str], if_none_match: Sequence[str]
    ) -> int:
        """Store it: 201 made, 200 changed, 412 a condition does not hold, 413 too many contacts."""

    def delete(self, document: Document, if_match: Sequence[str], if_none_match: Sequence[str]) -> int:
        """Remove it: 200 done, 404 there was none, 412 a condition does not hold."""


def capabilities() -> bytes:
    """What is served (RFC 4825 section 12)."""
    names = "".join(f"<auid>{name}</auid>" for name in ("xcap-caps", *APPLICATIONS))
    spaces = ("urn:ietf:params:xml:ns:xcap-caps", _LISTS, _SERVICES, _RULES.partition(" ")[0])
    listed = "".join(f"<namespace>{space}</namespace>" for space in spaces)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<xcap-caps xmlns="urn:ietf:params:xml:ns:xcap-caps">'
        f"<auids>{names}</auids><extensions/><namespaces>{listed}</namespaces></xcap-caps>\n"
    ).encode()


def named(path: str, owner: str) -> Document:
    """The document that a path below `ROOT` (percent-decoded) names, for the signed-in user `owner`.

    Raises:
        ProblemError: 404 for what is not there, 501 for parts of documents, 403 for another user's tree.
    """
    whole, _, part = path.partition("/~~")
    pieces = whole.strip("/").split("/")
    application = APPLICATIONS.get(pieces[0])
    if application is None or len(pieces) != 4 or pieces[1] != "users":
        raise ProblemError(HTTPStatus.NOT_FOUND, "web-path-unpublished", user=owner)
    address = _ADDRESS.fullmatch(pieces[2])
    if address is None or address[1].lower() != owner:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "not-own-document",
            shown="not-own-document",
            detail="This is not your own tree.",
            user=owner,
        )
    if pieces[3] not in application.documents:
        raise ProblemError(HTTPStatus.NOT_FOUND, "web-path-unpublished", user=owner)
    if part:
        raise ProblemError(
            HTTPStatus.NOT_IMPLEMENTED,
            "feature-not-supported",
            shown="feature-not-supported",
            detail="Only whole documents are served.",
            user=owner,
        )
    return Document(application, owner, pieces[3])


@dataclass
class _Reader:
    """Looks at a document while it is parsed."""

    application: Application
    depth: int = 0
    contacts: set[str] = field(default_factory=set)

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth == 1 and name != self.application.root:
            raise ValueError(f"its root is {name}")
        if self.depth > DEPTH:
            raise ValueError("its elements are too deep")
        if name == f"{_LISTS} entry":
            self.contacts.add(attributes.get("uri", "").lower())

    def end(self, _: str) -> None:
        self.depth -= 1

    @staticmethod
    def declared(_: str, encoding: str | None, __: int) -> None:
        if encoding is not None and encoding.upper() != "UTF-8":
            raise ValueError("its encoding is not UTF-8")

    @staticmethod
    def typed(*_: object) -> NoReturn:
        raise ValueError("it has a document type")


def check(document: Document, content_type: str, body: bytes) -> None:
    """Whether a document may be stored.

    Raises:
        ProblemError: 415 for another media type, 413 for too much of it, 400 for what is not such a document.
    """
    application, user = document.application, document.address

    def refuse(status: HTTPStatus, reason: str, detail: str) -> ProblemError:
        return ProblemError(status, reason, shown=reason, detail=detail, user=user)

    if content_type.partition(";")[0].strip().lower() != application.media_type:
        raise refuse(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "document-type", f"It must be {application.media_type}."
        )
    if len(body) > LIMIT:
        raise refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "document-too-large", f"At most {LIMIT} bytes.")
    reader = _Reader(application)
    parser = expat.ParserCreate("UTF-8", " ")
    parser.XmlDeclHandler = reader.declared
    parser.StartDoctypeDeclHandler = reader.typed
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    try:
        body.decode("utf-8")
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError) as error:
        raise refuse(HTTPStatus.BAD_REQUEST, "document-invalid", f"The document: {error}.") from error
    if len(reader.contacts) > CONTACTS:
        raise too_many(user)


def too_many(user: str) -> ProblemError:
    """More contacts than a user may have."""
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-many-contacts",
        shown="too-many-contacts",
        detail=f"At most {CONTACTS} contacts.",
        user=user,
    )


def tags(header: str | None) -> list[str]:
    """The entity tags of If-Match or If-None-Match, without quotes; `*` is any.

    What cannot be read matches nothing: the condition of a client that errs does not vanish.
    """
    if header is None:
        return []
    found: list[str] = []
    position = 0
    while position < len(header):
        match = _TAG.match(header, position)
        if match is None:
            return [""]
        found.append(match[1].strip('"'))
        position = match.end()
    return found or [""]


def new_tag() -> str:
    """A fresh entity tag, without quotes."""
    return secrets.token_hex(8)

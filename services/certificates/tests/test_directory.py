"""What is said to an ACME directory, and what is made of its answers; the lab's orders prove the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from acme import challenges, client, errors, messages
from edgewright_certificates import pem
from edgewright_certificates.directory import Directory

KEY = pem.make_key("rsa-2048")
TOKEN = b"t" * 32


def challenge(kind: type[Any], **more: Any) -> messages.ChallengeBody:
    return messages.ChallengeBody(chall=kind(token=TOKEN), uri="https://acme.example/c", **more)


def authorization(name: str, *offered: messages.ChallengeBody, status: Any = messages.STATUS_PENDING) -> Any:
    identifier = messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=name)
    body = messages.Authorization(identifier=identifier, challenges=offered, status=status)
    return messages.AuthorizationResource(body=body, uri=f"https://acme.example/{name}")


class There:
    """A directory's other end, in the place of the library's client."""

    authorizations: tuple[Any, ...] = ()
    known = False
    failure: Exception | None = None

    def __init__(self, found: Any, net: Any) -> None:
        self.net = net
        assert found == "the directory"

    @staticmethod
    def get_directory(url: str, net: Any) -> str:
        assert url == "https://acme.example/dir"
        return "the directory"

    def new_account(self, wanted: messages.NewRegistration) -> None:
        said.append(("account", wanted.contact, wanted.terms_of_service_agreed))
        if There.known:
            raise errors.ConflictError("https://acme.example/account/1")

    def new_order(self, request: bytes, **more: Any) -> Any:
        said.append(("order", request, more, self.net.account and self.net.account.uri))
        return SimpleNamespace(authorizations=There.authorizations)

    def answer_challenge(self, asked: Any, response: Any) -> None:
        said.append(("answer", asked.chall.__class__.__name__, response.__class__.__name__))

    def poll_and_finalize(self, order: Any, deadline: Any) -> Any:
        said.append(("finalize",))
        if There.failure:
            raise There.failure
        return SimpleNamespace(fullchain_pem="a chain")


said: list[Any] = []


@pytest.fixture(autouse=True)
def _there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ClientV2", There)
    There.authorizations, There.known, There.failure = (
        (authorization("a.example", challenge(challenges.DNS01)),),
        False,
        None,
    )
    said.clear()


@contextlib.contextmanager
def publish(records: list[tuple[str, str]]) -> Iterator[None]:
    said.append(("published", [name for name, _ in records]))
    assert all(len(value) == 43 for _, value in records), "SHA-256 in base64url (RFC 8555 section 8.4)"
    yield
    said.append(("withdrawn",))


def order(profile: str | None = None) -> str:
    return Directory("https://acme.example/dir", "root@a.example", KEY, None, profile).order(
        "request", publish
    )


def test_an_order() -> None:
    There.authorizations = (
        authorization("a.example", challenge(challenges.HTTP01), challenge(challenges.DNS01)),
        authorization("b.example", status=messages.STATUS_VALID),
    )
    assert order() == "a chain"
    assert said == [
        ("account", ("mailto:root@a.example",), True),
        ("order", b"request", {}, None),
        ("published", ["_acme-challenge.a.example"]),
        ("answer", "DNS01", "DNS01Response"),
        ("finalize",),
        ("withdrawn",),
    ]


def test_an_account_that_is_there_is_used_and_a_profile_asked_for() -> None:
    There.known = True
    order("tlsclient")
    assert said[1] == ("order", b"request", {"profile": "tlsclient"}, "https://acme.example/account/1")


def test_refusals_are_sentences() -> None:
    error = messages.Error(typ="urn:ietf:params:acme:error:dns", detail="no TXT record")
    There.failure = errors.ValidationError(
        [authorization("a.example", challenge(challenges.DNS01, error=error))]
    )
    with pytest.raises(pem.CertificateError, match=r"^a\.example: no TXT record$"):
        order()
    There.failure = errors.TimeoutError()
    with pytest.raises(pem.CertificateError, match="was not ready after 300 s"):
        order()
    There.failure = messages.Error(typ="urn:ietf:params:acme:error:rateLimited", detail="too many")
    with pytest.raises(pem.CertificateError, match=r"https://acme.example/dir: .*too many"):
        order()


def test_a_directory_without_dns_01() -> None:
    There.authorizations = (authorization("a.example", challenge(challenges.HTTP01)),)
    with pytest.raises(pem.CertificateError, match=r"offers no DNS-01 for a\.example"):
        order()
    assert not any(line[0] == "published" for line in said)


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    there = Directory("https://127.0.0.1:1/dir", "root@a.example", KEY, None, None)
    with pytest.raises(pem.CertificateError, match=r"https://127\.0\.0\.1:1/dir: .*refused"):
        there.order("request", publish)

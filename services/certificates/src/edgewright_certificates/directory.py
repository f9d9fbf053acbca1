"""An ACME directory (RFC 8555), asked with certbot's library; names are proven by DNS-01 (section 8.4)."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import requests
from acme import challenges, client, errors, messages
from cryptography.hazmat.primitives import serialization
from josepy.jwk import JWKRSA

from edgewright_certificates.pem import CertificateError

SECONDS = 300
"""An order that takes longer has failed."""
Publish = Callable[[list[tuple[str, str]]], AbstractContextManager[None]]
"""Shows TXT records (name, value) to the world while its context lasts."""
Due = tuple[messages.ChallengeBody, challenges.DNS01Response, tuple[str, str]]
"""A challenge, our response, and the TXT record that must be seen for it."""


class Directory:
    """One directory and our account there."""

    def __init__(self, url: str, contact: str, key: bytes, ca: Path | None, profile: str | None) -> None:
        """`key`: the account's, RSA as PEM; `ca`: who verifies the directory, None: the system's."""
        loaded = serialization.load_pem_private_key(key, None)
        self._url, self._contact, self._profile = url, contact, profile
        self._net = client.ClientNetwork(JWKRSA(key=loaded), user_agent="edgewright", timeout=30)
        if ca is not None:
            os.environ["REQUESTS_CA_BUNDLE"] = str(ca)

    def order(self, request: str, publish: Publish) -> str:
        """The chain for a certificate request (PEM), leaf first.

        Raises:
            CertificateError: it was refused, or the directory could not be asked.
        """
        try:
            return self._order(request.encode(), publish)
        except errors.ValidationError as problem:
            raise CertificateError("; ".join(_refusals(problem))) from problem
        except errors.TimeoutError as problem:
            raise CertificateError(f"{self._url}: the order was not ready after {SECONDS} s") from problem
        except (errors.Error, messages.Error, requests.RequestException, ValueError) as problem:
            raise CertificateError(f"{self._url}: {problem}") from problem

    def _order(self, request: bytes, publish: Publish) -> str:
        there = client.ClientV2(client.ClientV2.get_directory(self._url, self._net), self._net)
        self._log_in(there)
        order = there.new_order(request, **({"profile": self._profile} if self._profile else {}))
        due = list(self._challenges(order))
        deadline = dt.datetime.now() + dt.timedelta(seconds=SECONDS)  # noqa: DTZ005 - as the library wants it
        with publish([record for _, _, record in due]):
            for challenge, response, _ in due:
                there.answer_challenge(challenge, response)
            return str(there.poll_and_finalize(order, deadline).fullchain_pem)

    def _log_in(self, there: client.ClientV2) -> None:
        """A new account, or the one that this key has; a directory that forgot us makes a new one."""
        wanted = messages.NewRegistration.from_data(email=self._contact, terms_of_service_agreed=True)
        try:
            there.new_account(wanted)
        except errors.ConflictError as known:
            self._net.account = messages.RegistrationResource(
                uri=known.location, body=messages.Registration()
            )

    def _challenges(self, order: messages.OrderResource) -> Iterator[Due]:
        """What is to be proven still."""
        for authorization in order.authorizations:
            if authorization.body.status == messages.STATUS_VALID:
                continue
            name = authorization.body.identifier.value
            offered = [c for c in authorization.body.challenges if isinstance(c.chall, challenges.DNS01)]
            if not offered:
                raise CertificateError(f"{self._url} offers no DNS-01 for {name}")
            response, value = offered[0].response_and_validation(self._net.key)
            yield offered[0], response, (offered[0].chall.validation_domain_name(name), value)


def _refusals(problem: errors.ValidationError) -> Iterator[str]:
    """Why names were refused, one each."""
    for authorization in problem.failed_authzrs:
        for challenge in authorization.body.challenges:
            if challenge.error is not None:
                yield f"{authorization.body.identifier.value}: {challenge.error.detail}"

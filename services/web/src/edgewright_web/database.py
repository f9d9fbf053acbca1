"""The pool's PostgreSQL, as far as the web services may use it: the documents of XCAP."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import psycopg2  # type: ignore[import-untyped]  # Debian's, on the host

from edgewright_web.xcap import Document, UnavailableError

TOO_MANY_CONTACTS = "EW001"
"""SQLSTATE of the database's own limit."""


class Documents:
    """Documents of users (`xcap.Documents`). Each thread has a connection of its own, made when it is needed.

    Args:
        parameters: Of libpq (host, port, user, dbname, sslmode ...).
    """

    def __init__(self, parameters: dict[str, str]) -> None:
        self._parameters = parameters
        self._local = threading.local()

    def get(self, document: Document) -> tuple[bytes, str] | None:
        """Content and entity tag; None if there is no such document.

        Raises:
            UnavailableError: the database does not answer.
        """
        rows = self._ask("SELECT document, tag FROM xcap_get(%s)", (document.uri,))
        return (bytes(rows[0][0]), rows[0][1]) if rows and rows[0][1] is not None else None

    def put(
        self, document: Document, body: bytes, tag: str, if_match: Sequence[str], if_none_match: Sequence[str]
    ) -> int:
        """Store it: 201 made, 200 changed, 412 a condition does not hold, 413 too many contacts.

        Raises:
            UnavailableError: the database does not answer.
        """
        rows = self._ask(
            "SELECT xcap_put(%s, %s, %s, %s, %s, %s::text[], %s::text[])",
            (
                document.address,
                document.uri,
                document.application.kind,
                psycopg2.Binary(body),
                tag,
                list(if_match),
                list(if_none_match),
            ),
        )
        return int(rows[0][0])

    def delete(self, document: Document, if_match: Sequence[str], if_none_match: Sequence[str]) -> int:
        """Remove it: 200 done, 404 there was none, 412 a condition does not hold.

        Raises:
            UnavailableError: the database does not answer.
        """
        rows = self._ask(
            "SELECT xcap_delete(%s, %s::text[], %s::text[])",
            (document.uri, list(if_match), list(if_none_match)),
        )
        return int(rows[0][0])

    def _ask(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        # A connection that the database has closed meanwhile is noticed only when it is used.
        for last in (False, True):
            try:
                connection = self._connection()
                with connection, connection.cursor() as cursor:
                    cursor.execute(statement, values)
                    return list(cursor.fetchall())
            except psycopg2.Error as error:
                if error.pgcode == TOO_MANY_CONTACTS:
                    return [(413,)]
                self._forget()
                if last or not isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
                    raise UnavailableError(str(error).strip()) from error
        raise AssertionError("unreachable")

    def _connection(self) -> Any:
        if getattr(self._local, "connection", None) is None:
            self._local.connection = psycopg2.connect(
                connect_timeout=3, options="-c statement_timeout=5000", **self._parameters
            )
        return self._local.connection

    def _forget(self) -> None:
        connection, self._local.connection = getattr(self._local, "connection", None), None
        if connection is not None:
            connection.close()

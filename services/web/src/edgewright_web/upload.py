"""One file out of a `multipart/form-data` body (RFC 7578), written as it comes, never whole in memory.

The part `File` is the file (RCC.07 section 3.5.4.8.2); `tid` and `Thumbnail` are read and not kept.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

_HEADERS = 4096
"""Bytes that the headers of one part may have."""


class MalformedError(Exception):
    """The body is not what it says."""


class TooLargeError(Exception):
    """The file is larger than it may be."""


@dataclass
class Upload:
    """Writes the bytes of the part `File` to `target` (a descriptor), at most `limit`."""

    target: int
    limit: int
    name: str = ""
    type: str = "application/octet-stream"
    size: int = 0
    whole: bool = False
    _part: str = ""
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _headers: dict[str, str] = field(default_factory=dict)

    async def take(self, content_type: str, stream: AsyncIterator[bytes]) -> None:
        """Read the body to its end.

        Raises:
            MalformedError: no such body, or none with a file in it.
            TooLargeError: more than `limit` bytes, found out as soon as they come.
        """
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary or len(boundary) > 200:
            raise MalformedError("not multipart/form-data")
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_data,
                "on_part_data": self._data,
                "on_part_end": self._end,
            },
        )
        try:
            async for chunk in stream:
                parser.write(chunk)
        except FormParserError as error:
            raise MalformedError(str(error)) from error
        if not self.whole:
            raise MalformedError("no part called File, or not all of it")

    def _begin(self) -> None:
        self._part = ""
        self._headers.clear()

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._bounded()

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bounded()

    def _bounded(self) -> None:
        if len(self._header) + len(self._value) > _HEADERS or len(self._headers) > 16:
            raise MalformedError("a part's headers are too long")

    def _end_header(self) -> None:
        name = self._header.decode("ascii", "replace").strip().lower()
        self._headers[name] = self._value.decode("utf-8", "replace").strip()
        self._header.clear()
        self._value.clear()

    def _begin_data(self) -> None:
        shown = EmailMessage()
        shown["Content-Disposition"] = self._headers.get("content-disposition", "").replace("\n", " ")
        self._part = str(shown.get_param("name", "", "content-disposition"))
        if self._part == "File":
            if self.size or self.whole:
                raise MalformedError("two files")
            self.name = clean(str(shown.get_filename() or ""))
            self.type = kind_of(self._headers.get("content-type", ""))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part != "File":
            return
        self.size += end - start
        if self.size > self.limit:
            raise TooLargeError
        os.write(self.target, data[start:end])

    def _end(self) -> None:
        self.whole = self.whole or self._part == "File"


def clean(name: str) -> str:
    """A file's name without folders and control characters, at most 200 characters long."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if c.isprintable() and c not in '<>:"|?*').strip(". ")
    return kept[-200:] or "file"


def kind_of(text: str) -> str:
    """A content type without parameters; what is none becomes bytes."""
    kind = text.partition(";")[0].strip().lower()
    main, slash, sub = kind.partition("/")
    fine = slash and all(
        part and part.replace("-", "").replace(".", "").replace("+", "").isalnum() for part in (main, sub)
    )
    return kind if fine and kind.isascii() and len(kind) < 100 else "application/octet-stream"

"""`users.csv`: large directories, one user a line, parsed in about half a second per 100,000."""

from __future__ import annotations

import csv
import gc
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgewright.model.directory import SipAddress, User
from edgewright.model.findings import Finding
from edgewright.model.messages import PATTERNS, nearest

COLUMNS = ("address", "name", "home", "enabled", "external_access", "conferencing", "mobility", "pin")
"""The columns that are known; only `address` is needed, their order is free."""

_KINDS = COLUMNS[4:]
_ENABLED = {"": True, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_USERS: TypeAdapter[dict[str, User]] = TypeAdapter(dict[SipAddress, User])


def read(path: Path) -> tuple[dict[str, User], dict[str, int], list[Finding]]:
    """Users by address, the line of each, and what is wrong. A bad row hides no other."""
    # A hundred thousand new objects and no cycle among them: the collector would take half of the time.
    collected = gc.isenabled()
    gc.disable()
    try:
        return _read(_Table(path))
    finally:
        gc.freeze()  # they live as long as the process: later collections need not look at them
        if collected:
            gc.enable()


def _read(table: _Table) -> tuple[dict[str, User], dict[str, int], list[Finding]]:
    table.read()
    users: dict[str, User] = {}
    try:
        users = _USERS.validate_python(table.rows)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            address, field = str(details["loc"][0]), str(details["loc"][-1])
            what = PATTERNS.get(str(details.get("ctx", {}).get("pattern")))
            column = "address" if field == "[key]" else field
            said = f"should be a {what}" if what else details["msg"]
            table.wrong(table.lines[address], f"{column} '{details['input']}' {said}")
    return users, table.lines, table.findings


class _Table:
    """The rows as plain data, and what is wrong with their form."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, dict[str, Any]] = {}
        self.lines: dict[str, int] = {}
        self.findings: list[Finding] = []
        self.width = 0
        self.position: dict[str, int] = {}
        self.kinds: list[tuple[str, int]] = []

    def wrong(self, line: int, message: str) -> None:
        self.findings.append(Finding(self.path, line, message))

    def read(self) -> None:
        line = 1
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, strict=True)
                self.header([name.strip().lower() for name in next(reader, [])])
                if self.findings:
                    return
                for row in reader:
                    line = reader.line_num
                    if row and not row[0].startswith("#"):
                        self.row(line, row)
        except csv.Error as error:
            self.wrong(line + 1, f"is not CSV from here on: {error}")
        except UnicodeDecodeError:
            self.wrong(line + 1, "is not UTF-8 text from about here on; save the file as UTF-8")
        except OSError as error:
            self.wrong(1, f"cannot be read: {error.strerror}")

    def header(self, names: list[str]) -> None:
        if "address" not in names:
            self.wrong(1, f"the first line must name the columns: {','.join(COLUMNS)}")
            return
        for name in names:
            if name not in COLUMNS:
                self.wrong(1, f"unknown column '{name}'{nearest(name, COLUMNS)}")
        self.width = len(names)
        self.position = {name: index for index, name in enumerate(names)}
        self.kinds = [(name, index) for name, index in self.position.items() if name in _KINDS]
        if len(self.position) != self.width:
            self.wrong(1, "a column is named twice; keep one of them")

    def row(self, line: int, row: list[str]) -> None:
        if len(row) != self.width:
            self.wrong(line, f"has {len(row)} columns, the first line names {self.width}")
            return
        row = [value.strip() for value in row]
        position = self.position
        address = row[position["address"]]
        if address in self.rows:
            first = self.lines[address]
            self.wrong(line, f"'{address}' is given twice, first in line {first}; keep one of them")
            return
        user: dict[str, Any] = {}
        for column in ("name", "home"):
            if column in position and row[position[column]]:
                user[column] = row[position[column]]
        if "enabled" in position:
            given = row[position["enabled"]]
            enabled = _ENABLED.get(given.lower())
            if enabled is None:
                self.wrong(line, f"enabled '{given}' should be true or false")
                return
            if not enabled:
                user["enabled"] = False
        policies = {kind: row[index] for kind, index in self.kinds if row[index]}
        if policies:
            user["policies"] = policies
        self.rows[address] = user
        self.lines[address] = line

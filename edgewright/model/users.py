"""`users.csv`: large directories, one user a line, parsed in about half a second per 100,000."""

from __future__ import annotations

import csv
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
    findings: list[Finding] = []
    lines: dict[str, int] = {}
    rows: dict[str, dict[str, Any]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            findings += _header(path, header)
            if findings:
                return {}, {}, findings
            position = {name: index for index, name in enumerate(header)}
            for row in reader:
                if row and not row[0].startswith("#"):
                    _row(path, reader.line_num, row, position, rows, lines, findings)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        line = reader.line_num if isinstance(error, csv.Error) else 1
        return {}, {}, [*findings, Finding(path, line, f"is not a CSV file in UTF-8: {error}")]
    try:
        users = _USERS.validate_python(rows)
    except ValidationError as error:
        users = {}
        for details in error.errors(include_url=False):
            address, field = str(details["loc"][0]), str(details["loc"][-1])
            what = PATTERNS.get(str(details.get("ctx", {}).get("pattern")), str(details["msg"]))
            column = "address" if field == "[key]" else field
            findings.append(
                Finding(path, lines[address], f"{column} {details['input']!r} should be a {what}")
            )
    return users, lines, findings


def _header(path: Path, header: list[str]) -> list[Finding]:
    if "address" not in header:
        return [Finding(path, 1, f"the first line must name the columns: {','.join(COLUMNS)}")]
    found = [
        Finding(path, 1, f"unknown column '{name}'{nearest(name, COLUMNS)}")
        for name in header
        if name not in COLUMNS
    ]
    if len(set(header)) != len(header):
        found.append(Finding(path, 1, "a column is named twice; keep one of them"))
    return found


def _row(
    path: Path,
    line: int,
    row: list[str],
    position: dict[str, int],
    rows: dict[str, dict[str, Any]],
    lines: dict[str, int],
    findings: list[Finding],
) -> None:
    if len(row) != len(position):
        findings.append(Finding(path, line, f"has {len(row)} columns, the first line names {len(position)}"))
        return
    address = row[position["address"]].strip()
    if address in rows:
        findings.append(
            Finding(
                path, line, f"'{address}' is given twice, first in line {lines[address]}; keep one of them"
            )
        )
        return
    user: dict[str, Any] = {}
    for column in ("name", "home"):
        if column in position and (value := row[position[column]].strip()):
            user[column] = value
    if "enabled" in position:
        enabled = _ENABLED.get(row[position["enabled"]].strip().lower())
        if enabled is None:
            findings.append(
                Finding(path, line, f"enabled '{row[position['enabled']]}' should be true or false")
            )
            return
        if not enabled:
            user["enabled"] = False
    policies = {kind: value for kind in _KINDS if kind in position and (value := row[position[kind]].strip())}
    if policies:
        user["policies"] = policies
    rows[address] = user
    lines[address] = line

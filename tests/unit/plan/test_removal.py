"""What is taken out of the description disappears from the whole plan, and nothing else moves.

Hosts hold nothing that the plan does not have: configuration folders are exclusive, slots, tables, zone
files and rules are replaced as a whole (tested where that is done).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgewright.model import load
from edgewright.model.credentials import Credentials, Digest
from edgewright.plan import make, render, tables
from edgewright.plan.types import Plan

ROOT = Path(__file__).parents[3]
TWO = ROOT / "tests" / "deployments" / "two-of-each"
Variant = Callable[..., Plan]

SECOND = (
    ("edge", "edge2"),
    ("director", "director2"),
    ("front_end", "fe2"),
    ("database", "db2"),
    ("reverse_proxy", "proxy2"),
    ("dns", "ns2"),
)


def everything(plan: Plan) -> str:
    """All that is handed to hosts, to provisioning and to people."""
    parts = [render.show(plan, "json")]
    for form in ("zone", "nft"):
        parts += [f"{name}\n{text}" for name, text in sorted(render.files(plan, form).items())]
    return "\n".join(parts)


def tokens(text: str) -> set[str]:
    """Words and addresses in it."""
    return set(re.findall(r"[0-9A-Za-z_.:-]+", text))


def own(plan: Plan, host: str) -> Iterator[str]:
    """A host's names and addresses."""
    yield host
    if fqdn := plan.hosts[host].fqdn:
        yield fqdn
    for address in plan.hosts[host].addresses():
        yield str(ip_address(address))


@pytest.mark.parametrize(("kind", "host"), SECOND)
def test_a_host(variant: Variant, plan_of: Callable[[str], Plan], kind: str, host: str) -> None:
    def without(topology: dict[str, Any]) -> None:
        pool = topology["sites"]["hq"][kind]
        pool["hosts"] = [h for h in pool["hosts"] if (h if isinstance(h, str) else h["name"]) != host]

    before, after = plan_of("two-of-each"), variant("two-of-each", without)
    gone = set(own(before, host))
    assert gone <= tokens(everything(before)), "else this would prove nothing"
    assert not gone & tokens(everything(after))
    assert set(before.hosts) - set(after.hosts) == {host}
    for name, there in after.hosts.items():
        assert there.addresses() == before.hosts[name].addresses(), "nobody else is renumbered"


def test_a_name(variant: Variant, plan_of: Callable[[str], Plan]) -> None:
    def without(topology: dict[str, Any]) -> None:
        del topology["sites"]["hq"]["edge"]["web_conferencing"]
        for host in topology["sites"]["hq"]["edge"]["hosts"]:
            if isinstance(host, dict):
                host.get("services", {}).pop("web_conferencing", None)

    before, after = plan_of("two-of-each"), variant("two-of-each", without)
    gone = {"webconf.litware.example", "198.51.100.72", "2001:db8:10:2::72"}
    assert gone <= tokens(everything(before))
    assert not gone & tokens(everything(after))
    assert "webconf.litware.example" not in {name for c in after.certificates for name in c.sans}


def test_a_web_name(variant: Variant, plan_of: Callable[[str], Plan]) -> None:
    def without(topology: dict[str, Any]) -> None:
        del topology["simple_urls"]["dialin"]

    before, after = plan_of("two-of-each"), variant("two-of-each", without)
    assert "dialin.litware.example" in everything(before)
    assert "dialin.litware.example" not in everything(after)


def test_a_whole_pool(variant: Variant, plan_of: Callable[[str], Plan]) -> None:
    def without(topology: dict[str, Any]) -> None:
        site = topology["sites"]["hq"]
        del site["director"]
        site["edge"]["next_hop"] = site["front_end"]["pool"]

    gone = {"director.corp.litware.example", "dirweb.litware.example", "dirweb-int.corp.litware.example"}
    gone |= set(own(plan_of("two-of-each"), "director1")) | {"198.19.3.11"}
    assert gone <= tokens(everything(plan_of("two-of-each")))
    assert not gone & tokens(everything(variant("two-of-each", without)))


def test_a_user_and_a_partner(tmp_path: Path) -> None:
    deployment = load(ROOT / "inventory" / "contoso")
    folder = tmp_path / "contoso"
    folder.mkdir()
    shutil.copytree(ROOT / "inventory" / "fabrikam", tmp_path / "fabrikam")
    for file in deployment.folder.glob("*.yml"):
        data = yaml.safe_load(file.read_text())
        if file.name == "users.yml":
            del data["users"]["bob@contoso.example"]
            data["groups"] = {
                name: [one for one in members if one != "bob@contoso.example"]
                for name, members in data.get("groups", {}).items()
            }
        if file.name == "policies.yml":
            data["allowed_domains"] = [
                d for d in data["allowed_domains"] if d["domain"] != "fabrikam.example"
            ]
        if file.name == "surroundings.yml":
            data["accounts"] = [one for one in data["accounts"] if one != "bob@contoso.example"]
            del data["partners"]["fabrikam.example"], data["impostor"], data["astray"]
        (folder / file.name).write_text(yaml.safe_dump(data))
    smaller = load(folder)
    # Credentials still know bob: what hosts get follows the directory.
    digests = dict.fromkeys(deployment.directory.users, Digest("0" * 32, "1" * 64))
    credentials = Credentials(deployment.realm, digests, {})

    def rows(described: Any) -> str:
        plan = make(described)
        made = [tables.make(described, credentials, host) for host in plan.hosts.values()]
        return json.dumps([{name: dict(table.rows) for name, table in one.items()} for one in made])

    for word in ("bob@contoso.example", "fabrikam.example"):
        assert word in rows(deployment)
        assert word not in rows(smaller)
        assert word not in everything(make(smaller))

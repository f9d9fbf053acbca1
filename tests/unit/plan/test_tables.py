"""Tables: who gets what and no more; the controller's checksums are the host's."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest

from edgewright.model import Deployment, load
from edgewright.model.credentials import Credentials, Digest
from edgewright.plan import tables
from edgewright.plan.types import Plan

ROOT = Path(__file__).parents[3]
DIGEST = Digest("0" * 32, "1" * 64)


@dataclass(frozen=True)
class Host:
    """What of a host decides its tables."""

    roles: tuple[str, ...]
    pool: str | None


@pytest.fixture
def contoso() -> Deployment:
    return load(ROOT / "inventory/contoso")


def credentials(deployment: Deployment) -> Credentials:
    return Credentials(deployment.realm, dict.fromkeys(deployment.directory.users, DIGEST), {})


def made(deployment: Deployment, host: Host) -> dict[str, dict[str, str]]:
    found = tables.make(deployment, credentials(deployment), host)
    return {name: dict(table.rows) for name, table in found.items()}


def test_an_edge_knows_domains_and_never_a_user(contoso: Deployment) -> None:
    found = made(contoso, Host(("base", "access_edge"), "edge.inside.contoso.example"))
    assert sorted(found) == ["domains", "peers", "providers", "switches"]
    assert found["domains"] == {
        "adatum.example": "class=blocked",
        "contoso.example": "class=local",
        "fabrikam.example": "class=allowed;product=lync_2013",
        "wingtip.example": "class=provider;kind=public;proxy=sip.wingtip.example",
    }
    assert found["providers"] == {
        "sip.wingtip.example": "kind=public;name=wingtip;enabled=1;provisioned=1;level=always_verifiable;"
        "im=1;presence=1;audio=0;video=0;lacks=provider-cannot;shared=0"
    }
    assert found["switches"]["federation"] == "1"
    assert found["switches"]["discovered_partner_standard_rate"] == "20"
    assert found["switches"]["certificates_purged"] == "^[012]"
    assert found["switches"]["allow_outside_users"] == "1"
    assert found["switches"]["enable_partner_discovery"] == "0"
    assert "alice" not in json.dumps(found)


def test_every_value_can_be_read_by_kamailio(contoso: Deployment) -> None:
    """A column without a value makes Kamailio reject the whole row."""
    for host in (Host(("access_edge",), None), Host(("director",), None), Host(("front_end",), None)):
        for name in ("domains", "providers", "users", "peers"):
            for row in made(contoso, host).get(name, {}).values():
                assert all(re.fullmatch(r"[a-z0-9_]+=[^;=]+", part) for part in row.split(";")), row


def _changed(deployment: Deployment, **policies: object) -> Deployment:
    document = deployment.policies.model_dump(by_alias=True, exclude_unset=True) | policies
    changed = type(deployment.policies).model_validate(document)
    return dataclasses.replace(deployment, policies=changed)


def test_what_an_edge_learns_of_partners(contoso: Deployment) -> None:
    changed = _changed(
        contoso,
        allowed_domains=[{"domain": "litware.example", "proxy_fqdn": "edge.litware.example"}],
        blocked_domains=[],
        public_providers={
            "aol": {"proxy_fqdn": "sip.oscar.example", "network": "aol"},
            "old": {"proxy_fqdn": "sip.old.example", "enabled": True, "ends": "2014-06-30"},
        },
        hosting_providers={
            "online": {
                "proxy_fqdn": "sip.online.example",
                "enabled": True,
                "enabled_shared_address_space": True,
            }
        },
    )
    found = made(changed, Host(("access_edge",), "another.inside.contoso.example"))
    assert found["domains"]["litware.example"] == (
        "class=allowed;proxy=edge.litware.example;product=lync_2013"
    )
    assert found["domains"]["contoso.example"] == "class=local;shared=1"
    assert "lacks=feature-not-supported;ends=1404172800" in found["providers"]["sip.oscar.example"]
    assert "lacks=provider-cannot;ends=1404172800" in found["providers"]["sip.old.example"]
    assert found["providers"]["sip.online.example"].endswith("shared=1")
    assert found["switches"]["federation"] == "0", "another pool is the route"


def test_only_the_home_learns_what_a_user_may_with_partners(contoso: Deployment) -> None:
    home = made(contoso, Host(("front_end",), "fe.inside.contoso.example"))["users"]
    assert ";federation=1;public=1;public_av=0;xmpp=1;files=1;" in home["alice@contoso.example"]
    assert ";federation=0;public=0;public_av=0;xmpp=0;files=1;" in home["dave@contoso.example"]
    director = made(contoso, Host(("director",), None))["users"]
    assert not any("federation=" in row for row in director.values())


def test_names_in_certificates_say_the_role(contoso: Deployment) -> None:
    peers = made(contoso, Host(("access_edge",), None))["peers"]
    assert peers["director1.inside.contoso.example"] == "role=director"
    assert peers["fe.inside.contoso.example"] == "role=front_end"
    assert not any(name.startswith("proxy1") for name in peers)


def test_a_director_knows_everybody_disabled_ones_too(contoso: Deployment) -> None:
    users = made(contoso, Host(("director",), "director.inside.contoso.example"))["users"]
    assert set(users) == set(contoso.directory.users)
    rest = f"md5={DIGEST.md5};sha256={DIGEST.sha256}"
    home = "home=fe.inside.contoso.example"
    assert users["alice@contoso.example"] == f"{home};enabled=1;outside=1;{rest}"
    assert users["carol@contoso.example"] == f"{home};enabled=1;outside=0;{rest}"
    assert users["gina@contoso.example"] == f"{home};enabled=0;outside=1;{rest}"


def test_a_director_routes_to_no_foreign_domain(contoso: Deployment) -> None:
    assert made(contoso, Host(("director",), None))["domains"] == {"contoso.example": "class=local"}


def test_a_front_end_knows_whose_meetings_are_how_large(contoso: Deployment) -> None:
    users = made(contoso, Host(("front_end",), "fe.inside.contoso.example"))["users"]
    assert ";files=1;meeting_size=250;" in users["alice@contoso.example"]
    assert ";files=0;meeting_size=2;" in users["erin@contoso.example"]
    assert "files" not in made(contoso, Host(("director",), None))["users"]["alice@contoso.example"]


def test_a_front_end_knows_what_messages_may_carry(contoso: Deployment) -> None:
    found = made(contoso, Host(("front_end",), "fe.inside.contoso.example"))["im"]
    assert found["max_message_size"] == "32768"
    assert found["accept"].split(", ") == list(contoso.policies.instant_messaging.content_types)
    assert found["type:text/plain"] == found["type:message/imdn+xml"] == "im"
    assert found["type:message/cpim"] == "wrapper"
    assert found["type:application/vnd.gsma.rcs-ft-http+xml"] == "file"
    fewer = contoso.policies.instant_messaging.model_copy(update={"content_types": ("text/plain",)})
    policies = contoso.policies.model_copy(update={"instant_messaging": fewer})
    left = made(replace(contoso, policies=policies), Host(("front_end",), None))["im"]
    assert set(left) == {"max_message_size", "accept", "type:text/plain"}


def test_a_user_without_a_password_has_no_digest(contoso: Deployment) -> None:
    found = tables.make(contoso, Credentials(contoso.realm, {}, {}), Host(("director",), None))
    assert "md5" not in found["users"].rows["alice@contoso.example"]


def test_a_front_end_knows_only_the_home_of_others_users() -> None:
    deployment = load(ROOT / "tests/deployments/two-of-each")
    pools = sorted(pool.pool for pool in deployment.front_ends())
    next_hops = {edge.next_hop for site in deployment.topology.sites.values() for edge in site.edge}
    assert set(pools) - next_hops
    for pool in set(pools) - next_hops:
        for address, row in made(deployment, Host(("front_end",), pool))["users"].items():
            own = deployment.home(address) == pool
            assert row.startswith(f"home={deployment.home(address)}")
            assert ("md5=" in row) is own


def test_a_front_end_that_is_the_next_hop_authenticates_everybody() -> None:
    deployment = load(ROOT / "inventory/minimal")
    host = Host(("front_end",), deployment.front_ends()[0].pool)
    assert all("md5=" in row for row in made(deployment, host)["users"].values())


def test_the_web_services_get_what_they_read(contoso: Deployment) -> None:
    found = made(contoso, Host(("director", "web_service"), "director.inside.contoso.example"))
    assert found["web_setting"] == {"allow_outside_users": "1"}
    carol = json.loads(found["web_user"]["carol@contoso.example"])
    assert carol["policy"]["enable_outside_access"] is False
    assert {"name", "home", "enabled", "md5", "sha256", "policy"} == set(carol)


def test_a_host_without_such_a_role_has_none(contoso: Deployment) -> None:
    assert made(contoso, Host(("base", "reverse_proxy"), None)) == {}


def test_what_is_taken_out_of_the_directory_is_taken_out_of_the_tables(contoso: Deployment) -> None:
    before = tables.make(contoso, credentials(contoso), Host(("director",), None))
    fewer = {a: u for a, u in contoso.directory.users.items() if not a.startswith("bob")}
    directory = contoso.directory.model_copy(update={"users": fewer})
    smaller = Deployment(
        contoso.name, contoso.folder, contoso.topology, contoso.policies, directory, None, contoso.digest
    )
    after = tables.make(smaller, credentials(contoso), Host(("director",), None))
    assert set(before["users"].rows) - set(after["users"].rows) == {"bob@contoso.example"}
    assert before["users"].digest != after["users"].digest


def _program() -> ModuleType:
    path = ROOT / "services/tables/src/edgewright_tables/bundle.py"
    spec = importlib.util.spec_from_file_location("tables_bundle", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # A dataclass with slots looks its module up.
    import sys

    sys.modules["tables_bundle"] = module
    spec.loader.exec_module(module)
    return module


def test_the_host_computes_the_same_checksums(contoso: Deployment) -> None:
    found = tables.make(contoso, credentials(contoso), Host(("director", "web_service"), None))
    parsed = _program().parse(json.dumps(tables.bundle(found), ensure_ascii=False).encode())
    assert parsed.checksum == tables.checksum(found)
    assert parsed.digests == {name: table.digest for name, table in found.items()}


def test_tables_are_what_each_role_declares(plan_of: Callable[[str], Plan], contoso: Deployment) -> None:
    """A daemon's hook names exactly the tables that the controller makes for it."""
    plan = plan_of("contoso")
    for host, role in (("edge1", "access_edge"), ("director1", "director"), ("fe1", "front_end")):
        hook = json.loads((ROOT / f"roles/{role}/files/tables.json").read_text())
        wanted = set(made(contoso, Host((role,), plan.hosts[host].pool)))
        assert set(hook["tables"]) == wanted | set(plan.settings[host][role]["tables"])

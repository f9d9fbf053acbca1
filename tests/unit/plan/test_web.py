"""Settings of reverse proxy and web services, and what is published (rows W1-W5, V01-V10)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from edgewright import model, plan
from edgewright.plan.roles import reverse_proxy, web_service

ROOT = Path(__file__).parents[3]
DEPLOYMENTS = {
    "contoso": ROOT / "inventory/contoso",
    "minimal": ROOT / "inventory/minimal",
    "two-of-each": ROOT / "tests/deployments/two-of-each",
}


@cache
def planned(name: str) -> plan.Plan:
    return plan.make(model.load(DEPLOYMENTS[name]))


def proxy(name: str, host: str) -> reverse_proxy.Settings:
    return reverse_proxy.Settings(**planned(name).settings[host]["reverse_proxy"])


def web(name: str, host: str) -> web_service.Settings:
    return web_service.Settings(**planned(name).settings[host]["web_service"])


def test_proxy_publishes_names_and_only_paths_that_exist() -> None:
    sites = {site.host: site for site in proxy("contoso", "proxy1").sites}
    assert sites["web.contoso.example"].paths == (*web_service.SERVED, *web_service.HOME_SERVED)
    assert sites["dirweb.contoso.example"].paths == web_service.SERVED
    assert sites["dirweb.contoso.example"].upstream == "director.inside.contoso.example_4443"
    assert sites["lyncdiscover.contoso.example"].upstream == "director.inside.contoso.example_4443"
    assert "/user" not in sites["lyncdiscover.contoso.example"].paths
    assert not any("inside" in host or "internal" in host for host in sites)


def test_proxy_verifies_each_backend_by_the_pools_name() -> None:
    found = planned("contoso")
    for upstream in proxy("contoso", "proxy1").upstreams:
        pool = upstream.tls_name
        for certificate in found.certificates:
            if certificate.pool == pool and certificate.slot == "web_external":
                assert pool in certificate.sans


def test_proxy_listens_outside_in_both_families() -> None:
    settings = proxy("contoso", "proxy1")
    assert settings.listen == ("198.18.1.141", "2001:db8:0:2::141")


def test_an_upstream_has_every_host_of_its_pool() -> None:
    found = planned("two-of-each")
    for host in ("proxy1", "proxy2"):
        upstreams = {u.tls_name: u for u in proxy("two-of-each", host).upstreams}
        for pool in ("fe.corp.litware.example", "director.corp.litware.example"):
            assert len(upstreams[pool].servers) == len(found.pools[pool].hosts) == 2


def test_every_site_has_its_upstream() -> None:
    for name, host in (("contoso", "proxy1"), ("two-of-each", "proxy1")):
        settings = proxy(name, host)
        assert {site.upstream for site in settings.sites} == {u.name for u in settings.upstreams}


@pytest.mark.parametrize(
    ("name", "host"), [("contoso", "fe1"), ("contoso", "director1"), ("two-of-each", "fe2")]
)
def test_external_site_answers_what_is_published_to_it_and_its_certificate_carries(
    name: str, host: str
) -> None:
    found = planned(name)
    external = web(name, host).external
    assert external is not None
    pool = found.hosts[host].pool
    assert set(external.names) == {p.host for p in found.publications if p.pool == pool}
    sans = next(c.sans for c in found.certificates if c.slot == "web_external" and host in c.hosts)
    assert set(external.names) <= set(sans)


def test_external_and_internal_site_share_no_listener() -> None:
    settings = web("contoso", "fe1")
    assert settings.external is not None
    assert {settings.external.port, settings.internal.port, settings.internal_http_port} == {4443, 443, 80}


def test_internal_names_are_the_certificates() -> None:
    found = planned("two-of-each")
    internal = web("two-of-each", "director2").internal
    sans = next(c.sans for c in found.certificates if c.slot == "web_internal" and "director2" in c.hosts)
    assert set(internal.names) == set(sans)
    assert internal.fqdn == "dirweb-int.corp.litware.example"


def test_without_an_external_name_there_is_no_external_site() -> None:
    settings = web("minimal", "fe1")
    assert settings.external is None
    assert settings.proxies == ()


def test_only_the_publishing_proxies_are_believed() -> None:
    settings = web("contoso", "fe1")
    assert settings.proxies == ("198.18.2.141", "2001:db8:0:3::141")


def test_users_are_sent_to_the_edge_of_their_pool() -> None:
    homes = {home.pool: home for home in web("contoso", "director1").homes}
    home = homes["fe.inside.contoso.example"]
    assert home.sip_external["contoso.example"] == web_service.Access(fqdn="sip.contoso.example", port=443)
    assert home.web_external == "web.contoso.example"


def test_every_pool_knows_every_home() -> None:
    homes = {home.pool: home for home in web("two-of-each", "fe1").homes}
    assert set(homes) == {"fe.corp.litware.example", "fe.branch.corp.litware.example"}
    branch = homes["fe.branch.corp.litware.example"]
    assert branch.sip_external["labs.example"] == web_service.Access(fqdn="access.litware.example", port=5061)
    hq = homes["fe.corp.litware.example"]
    assert hq.sip_external["labs.example"] == web_service.Access(fqdn="sip.labs.example", port=443)


def test_genuine_servers_are_published_with_all_documented_paths() -> None:
    found = planned("two-of-each")
    assert all(p.pool != "fe.branch.corp.litware.example" for p in found.publications)
    windows = [p for p in found.pools.values() if p.pool.platform == "windows"]
    assert windows
    from edgewright.plan.publications import DOCUMENTED_PATHS, paths

    assert paths(windows[0]) == DOCUMENTED_PATHS

"""Certificate requests: the rules of reference section 5."""

from __future__ import annotations


def test_the_subject_is_a_san_and_nothing_is_a_wildcard(plan):
    """Z01, Z02."""
    for request in plan.certificates:
        assert request.subject in request.sans
        assert not any("*" in name for name in request.sans)
        assert len(set(request.sans)) == len(request.sans)


def test_inside_requests_have_both_usages(plan):
    for request in plan.certificates:
        if request.slot not in {"edge_external", "federation", "av", "proxy"}:
            assert request.eku == ("server", "client")


def test_outside_keys_are_shared_and_inside_ones_stay(plan):
    for request in plan.certificates:
        outside = request.slot in {"edge_external", "federation", "av", "proxy"}
        assert request.shared_key == outside
        assert outside or len(request.hosts) == 1


def test_k1_of_contoso(plan_of):
    """K1 with K4; the A/V name is not needed (C15)."""
    request = next(c for c in plan_of("contoso").certificates if c.row == "K1")
    assert request.sans == ("sip.contoso.example", "webconf.contoso.example", "contoso.example")
    assert request.eku == ("server",)
    assert any("slot `federation`" in limit for limit in request.limits)


def test_without_xmpp_the_bare_domain_is_not_asked_for(plan_of, variant):
    plan = variant("contoso", lambda t: t["routes"].pop("xmpp"))
    request = next(c for c in plan.certificates if c.row == "K1")
    assert "contoso.example" not in request.sans


def test_every_name_that_is_published_is_certified(plan):
    """K5."""
    names = {name for c in plan.certificates if c.slot == "proxy" for name in c.sans}
    assert {publication.host for publication in plan.publications} == names


def test_front_ends_answer_for_sip_of_each_domain(plan_of):
    """K6."""
    for request in plan_of("coffee").certificates:
        if request.row == "K6" and request.pool.startswith("fe."):
            assert {"sip.fourthcoffee.example", "sip.coffee.example"} <= set(request.sans)


def test_a_new_host_changes_no_other_hosts_request(plan_of, variant):
    before = [c for c in plan_of("contoso").certificates if c.hosts == ("fe1",)]
    after = variant("contoso", lambda t: t["sites"]["hq"]["front_end"].update(hosts=["fe1", "fe2"]))
    assert [c for c in after.certificates if c.hosts == ("fe1",)] == before


def test_an_own_authority_or_a_client_profile_lifts_the_limits(plan_of, variant):
    own = variant("contoso", lambda t: t.update(certificates={"outside": "own_ca"}))
    assert not any(c.limits for c in own.certificates)
    acme = {"directory": "https://acme.example/d", "dns_server": "198.18.0.53", "profile": "tlsclient"}
    profile = variant("contoso", lambda t: t["certificates"].update(acme=acme))
    assert not any(c.limits for c in profile.certificates)
    assert all(c.eku == ("server", "client") for c in profile.certificates)

"""What a single policy object, and the lists of the file, refuse (reference 8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from deployments import copy
from pydantic import ValidationError

from edgewright.model.findings import InputErrors
from edgewright.model.load import load
from edgewright.model.policy import AccessEdge, AvEdge, MobilityService, Pin, Policies


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (AccessEdge, {"routing_method": "use_default_routing"}, "default_route_fqdn"),
        (AccessEdge, {"default_route_fqdn": "hub.example"}, "use_default_routing"),
        (
            AccessEdge,
            {
                "routing_method": "use_default_routing",
                "default_route_fqdn": "hub.example",
                "enable_partner_discovery": True,
            },
            "J10",
        ),
        (AccessEdge, {"outgoing_tls_count_for_federated_partners": 5}, "less than or equal to 4"),
        (MobilityService, {"session_short_expiration_interval": 259200}, "must be smaller"),
        (Pin, {"pin_lifetime": 30}, "pin_history_count"),
        (Pin, {"min_password_length": 3}, "greater than or equal to 4"),
        (AvEdge, {"max_token_lifetime": 59}, "greater than or equal to 60"),
    ],
)
def test_objects(kind: Any, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        kind(**values)


def test_lockout() -> None:
    """8.8."""
    assert [Pin().lockout(length) for length in (4, 5, 7)] == [(10, 100), (25, 1000), (25, 5000)]
    assert Pin(maximum_logon_attempts=3).lockout(7) == (3, 3)


def test_only_what_differs_is_written() -> None:
    policies = Policies.model_validate({"schema": 1, "external_access": {"user": {"inside-only": {}}}})
    assert policies.external_access.global_ == policies.external_access.user["inside-only"]
    assert policies.access_edge.allow_outside_users


@pytest.fixture
def contoso(tmp_path: Path) -> Path:
    return copy("contoso", tmp_path)


def refused(folder: Path) -> list[str]:
    with pytest.raises(InputErrors) as error:
        load(folder)
    return [f"{finding.file.name}:{finding.line} {finding.message}" for finding in error.value.findings]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "blocked_domains: [{domain: adatum.example}]",
            "blocked_domains: [{domain: fabrikam.example}]",
            "a domain can only be in one of the two (J06)",
        ),
        (
            "blocked_domains: [{domain: adatum.example}]",
            "blocked_domains: [{domain: adatum.example}, {domain: adatum.example}]",
            "adatum.example is in blocked_domains twice",
        ),
        (
            "xmpp_partners: [{domain: northwind.example}]",
            "xmpp_partners: [{domain: northwind.example, additional_domains: [fabrikam.example]}]",
            "a partner is reached by SIP or by XMPP, not both",
        ),
        (
            "xmpp_partners: [{domain: northwind.example}]",
            "hosting_providers: {other: {proxy_fqdn: sip.wingtip.example}}",
            "sip.wingtip.example is the proxy of provider wingtip already",
        ),
        (
            "access_edge: {",
            "access_edge: {routing_method: use_default_routing, default_route_fqdn: hub.example, ",
            "needs access_edge.routing_method use_dns_srv_routing",
        ),
        ("enable_mobility: false", "enable_mobilty: false", "did you mean 'enable_mobility'?"),
        ("enable_mobility: false", "EnableMobility: false", "did you mean 'enable_mobility'?"),
        ("always_verifiable", "AlwaysVerifiable", "did you mean 'always_verifiable'?"),
        ("schema: 1", "schema: 1\nav_edge: {global: {max_token_lifetime: 5}}", "greater than or equal to 60"),
    ],
)
def test_the_file(contoso: Path, old: str, new: str, said: str) -> None:
    path = contoso / "policies.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    found = refused(contoso)
    assert len(found) == 1
    assert said in found[0]
    changed = next(
        number
        for number, (before, after) in enumerate(
            zip([*text.splitlines(), ""], path.read_text().splitlines(), strict=False), 1
        )
        if before != after
    )
    # With a default route it is the provider that has to go.
    if "routing_method" not in new:
        assert found[0].startswith(f"policies.yml:{changed} ")


def test_grants(contoso: Path) -> None:
    """J05: two different grants of one kind for one user, and a grant of a policy that is not there."""
    path = contoso / "users.yml"
    path.write_text(
        path.read_text() + "group_policies: {sales: {conferencing: closed-doors, mobility: no-mobil}}\n"
    )
    assert "no mobility policy 'no-mobil' for users; did you mean 'no-mobile'?" in refused(contoso)[0]
    text = (
        path.read_text()
        .replace("no-mobil}", "no-mobile}")
        .replace("{name: Bob Brown}", "{name: Bob Brown, policies: {conferencing: other}}")
    )
    path.write_text(text)
    policies = contoso / "policies.yml"
    policies.write_text(policies.read_text().replace("closed-doors: {", "other: {}\n    closed-doors: {"))
    found = refused(contoso)
    assert len(found) == 1
    assert "bob@contoso.example is granted more than one conferencing policy" in found[0]
    assert "other (directly), closed-doors (by group sales)" in found[0]

"""What Edges say of partners, put together: class, state, certificate, rate, contacts, last refusal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edgewright.model import Deployment, load
from edgewright.model.policy import AllowedDomain, BlockedDomain, PublicProvider
from edgewright.provision import partners

ROOT = Path(__file__).parents[3]
NOW = datetime.fromtimestamp(1_800_000_000, UTC)
LEAF = "ab" * 32


@pytest.fixture
def deployment() -> Deployment:
    """One partner of each kind."""
    contoso = load(ROOT / "inventory/contoso")
    policies = contoso.policies.model_copy(
        update={
            "allowed_domains": (
                AllowedDomain(domain="fabrikam.example"),
                AllowedDomain(domain="direct.example", proxy_fqdn="edge.direct.example"),
            ),
            "blocked_domains": (BlockedDomain(domain="adatum.example"),),
            "public_providers": {"wingtip": PublicProvider(proxy_fqdn="sip.wingtip.example", enabled=True)},
        }
    )
    return replace(contoso, policies=policies)


def edge(**tables: dict[str, str]) -> dict[str, Any]:
    """What an Edge with these tables says."""
    line = "edgewright event=partner-connected domain=fabrikam.example host=sip.fabrikam.example address=x"
    return {
        "tables": {name: {} for name in partners.TABLES} | tables,
        "lines": [[1_799_999_000, line], [1_799_999_940, line]],
        "alive": ["17"],
        "now": 1_800_000_000,
    }


BUSY = edge(
    seen={
        "fabrikam.example>in": "1799999990",
        "fabrikam.example>out": "1799992000",
        "tailspin.example>in": "1799999999",
        "tailspin.example>refused": "partner-too-fast",
        "tailspin.example>refused_at": "1799999999",
        "woodgrove.example>out": "1799999000",
        "sub.adatum.example>refused": "domain-blocked",
    },
    links={"fabrikam.example": f"17|198.18.0.21:5061|tls:198.18.1.21:5061|{LEAF}"},
    failed={"link|direct.example": "partner-down"},
    rates={
        "tailspin.example|1799999998": "20",
        "tailspin.example|1799999999": "7",
        "tailspin.example|1799999980": "90",
    },
    reached={
        "tailspin.example|499999": "900",
        "tailspin.example|500000": "3",
        "tailspin.example|500000|alice@contoso.example": "1",
    },
    targets={"woodgrove.example": "|sip.wingtip.example:5061|"},
)


def found(deployment: Deployment, **edges: dict[str, Any]) -> dict[str, partners.Partner]:
    return {p.domain: p for p in partners._together(deployment, edges)}


def test_configured_ones_come_first_then_those_that_were_seen(deployment):
    assert list(found(deployment, edge1=BUSY)) == [
        "fabrikam.example",
        "direct.example",
        "wingtip.example",
        "adatum.example",
        "sub.adatum.example",
        "tailspin.example",
        "woodgrove.example",
    ]


def test_each_has_its_class(deployment):
    kinds = {p.domain: (p.kind, p.via) for p in found(deployment, edge1=BUSY).values()}
    assert kinds["direct.example"] == ("allowed", "edge.direct.example")
    assert kinds["woodgrove.example"] == ("public", "sip.wingtip.example"), "its SRV record leads there"
    assert kinds["sub.adatum.example"] == ("blocked", "")
    assert kinds["tailspin.example"] == ("unlisted", "")
    edge_policy = deployment.policies.access_edge.model_copy(update={"enable_partner_discovery": True})
    on = replace(deployment, policies=deployment.policies.model_copy(update={"access_edge": edge_policy}))
    assert found(on, edge1=BUSY)["tailspin.example"].kind == "discovered"


def test_state_certificate_rate_and_contacts(deployment):
    seen = {domain: p.now for domain, p in found(deployment, edge1=BUSY).items()}
    fabrikam = seen["fabrikam.example"]
    assert (fabrikam.state, fabrikam.since, fabrikam.certificate) == ("connected", 1_799_999_940, LEAF)
    assert (seen["direct.example"].state, seen["direct.example"].why) == ("failed", "partner-down")
    tailspin = seen["tailspin.example"]
    assert (tailspin.state, tailspin.rate, tailspin.contacts) == ("idle", 20, 3)
    assert tailspin.refused == "partner-too-fast"


def test_a_connection_that_is_closed_is_no_connection(deployment):
    closed = {**BUSY, "alive": ["4"]}
    now = found(deployment, edge1=closed)["fabrikam.example"].now
    assert (now.state, now.certificate, now.since) == ("idle", "", 0)


def test_several_edges_are_put_together(deployment):
    quiet = edge(seen={"fabrikam.example>out": "1799999995", "tailspin.example>refused": "untrusted-peer"})
    both = found(deployment, edge1=BUSY, edge2=quiet)
    assert both["fabrikam.example"].now.state == "connected"
    assert both["fabrikam.example"].now.last_out == 1_799_999_995
    assert both["tailspin.example"].now.refused == "partner-too-fast", "the latest"
    assert set(both["fabrikam.example"].edges) == {"edge1", "edge2"}


def test_people_and_programs_can_read_it(deployment):
    everything = partners.Partners(tuple(found(deployment, edge1=BUSY).values()), {"edge2": "no answer"})
    table = {row[0]: row[1:] for row in partners.rows(everything, NOW)}
    assert table["fabrikam.example"][:5] == (
        "allowed",
        "connected 60 s ago",
        LEAF[:16],
        "10 s ago",
        "2 h ago",
    )
    assert table["wingtip.example"][0] == "public (wingtip)"
    assert table["tailspin.example"][-3:] == ("20", "3", "partner-too-fast, 1 s ago")
    assert table["direct.example"][1] == "failed: partner-down"
    document = json.loads(json.dumps(partners.document(everything)))
    assert document["partners"][0]["now"]["certificate"] == LEAF
    assert document["unreachable"] == {"edge2": "no answer"}


def test_without_an_edge_that_answers_the_configured_ones_are_shown_still(deployment):
    assert found(deployment)["fabrikam.example"].now == partners.Seen()

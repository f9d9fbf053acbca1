"""The lab provider without podman: checks, differences, what is known before anything is made."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.provider.experimental.provider import CheckRequest, CreateRequest, DiffRequest, ReadRequest
from pulumi.runtime.rpc import UNKNOWN

from edgewright.provision.lab.handler import Found, Owner
from edgewright.provision.lab.host import HostHandler, network_config
from edgewright.provision.lab.provider import LabProvider
from edgewright.provision.lab.values import changes, plain, property_map, wrap

URN = "urn:pulumi:sample::edgewright::edgewright:index:Site$edgewright:index:EdgePool$lab:index:{}::{}"
HOST: dict[str, Any] = {
    "name": "sample-edge1",
    "hostname": "edge1.test",
    "image": "old",
    "interfaces": [
        {"name": "eth0", "network": "sample-outside", "ipv4": "198.18.40.21/24", "ipv6": "", "extra": []},
        {"name": "eth1", "network": "sample-inside", "ipv4": "", "ipv6": "2001:db8::21/64", "extra": []},
    ],
    "routes": [{"to": "default", "via": "198.18.40.2", "interface": "eth0"}],
    "volumes": [],
    "forwarding": "false",
    "authorizedKey": "ssh-ed25519 AAAA",
    "state": "running",
}
OUTPUTS = {"hostKey": "ssh-ed25519 BBBB", "address": "198.18.40.21"}


@pytest.fixture
def provider() -> LabProvider:
    return LabProvider(None, "clone")  # type: ignore[arg-type]


def wrapped(values: dict[str, Any]) -> dict[str, Any]:
    return {key: wrap(value) for key, value in values.items()}


def difference(provider: LabProvider, new: dict[str, Any], old: dict[str, Any] | None = None) -> Any:
    request = DiffRequest(
        URN.format("Host", "edge1"), "sample-edge1", wrapped({**(old or HOST), **OUTPUTS}), wrapped(new), []
    )
    return asyncio.run(provider.diff(request))


def test_nothing_differs(provider: LabProvider) -> None:
    found = difference(provider, HOST)
    assert (found.changes, found.replaces, found.diffs) == (False, [], [])


def test_another_image_never_touches_a_living_host(provider: LabProvider) -> None:
    assert difference(provider, {**HOST, "image": "new"}).changes is False


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"routes": []}, "routes[0]"),
        ({"authorizedKey": "ssh-ed25519 CCCC"}, "authorizedKey"),
        (
            {"interfaces": [{**HOST["interfaces"][0], "extra": ["198.18.40.61/24"]}, HOST["interfaces"][1]]},
            "interfaces[0].extra[0]",
        ),
    ],
)
def test_changed_in_place(provider: LabProvider, change: dict[str, Any], path: str) -> None:
    found = difference(provider, {**HOST, **change})
    assert (found.changes, found.replaces, list(found.detailed_diff)) == (True, [], [path])


@pytest.mark.parametrize(
    ("change", "top"),
    [
        ({"hostname": "other.test"}, "hostname"),
        ({"forwarding": "true"}, "forwarding"),
        ({"interfaces": HOST["interfaces"][:1]}, "interfaces"),
        (
            {"interfaces": [{**HOST["interfaces"][0], "network": UNKNOWN}, HOST["interfaces"][1]]},
            "interfaces",
        ),
        ({"volumes": [{"name": "v", "path": "/var/lib/x"}]}, "volumes"),
    ],
)
def test_made_anew_deleting_first(provider: LabProvider, change: dict[str, Any], top: str) -> None:
    found = difference(provider, {**HOST, **change})
    assert found.replaces == [top]
    assert found.delete_before_replace


def test_what_refresh_found_is_put_right_in_place(provider: LabProvider) -> None:
    found = difference(provider, HOST, {**HOST, "state": "stopped"})
    assert (found.changes, found.replaces, found.diffs) == (True, [], ["state"])


def test_preview_knows_the_address_and_not_the_key(provider: LabProvider) -> None:
    request = CreateRequest(URN.format("Host", "edge1"), wrapped(HOST), 0, True)
    answer = asyncio.run(provider.create(request))
    found = property_map(answer.properties)
    assert answer.resource_id is None
    assert (found["address"], found["hostKey"]) == ("198.18.40.21", UNKNOWN)


@pytest.mark.parametrize(
    ("kind", "inputs", "path"),
    [
        (
            "Host",
            {**HOST, "interfaces": [{**HOST["interfaces"][0], "ipv4": "198.18.40.300/24"}]},
            "interfaces[0].ipv4",
        ),
        (
            "Host",
            {**HOST, "interfaces": [{**HOST["interfaces"][0], "ipv4": "198.18.40.3"}]},
            "interfaces[0].ipv4",
        ),
        ("Host", {**HOST, "interfaces": [{**HOST["interfaces"][0], "ipv4": ""}]}, "interfaces[0]"),
        (
            "Network",
            {"name": "n", "ipv4": "198.18.40.1/24", "ipv6": "", "bridge4": "", "bridge6": ""},
            "ipv4",
        ),
        ("Network", {"name": "n", "ipv4": "", "ipv6": "", "bridge4": "", "bridge6": ""}, "ipv4"),
    ],
)
def test_wrong_inputs_are_named(provider: LabProvider, kind: str, inputs: dict[str, Any], path: str) -> None:
    answer = asyncio.run(provider.check(CheckRequest(URN.format(kind, "x"), {}, wrapped(inputs), b"")))
    assert [failure.property for failure in answer.failures or []] == [path]


def read(provider: LabProvider, found: Found | None) -> Any:
    handler = provider._handlers["Host"]
    handler.read = lambda owner, inputs: found  # type: ignore[method-assign]
    state = wrapped({**HOST, **OUTPUTS})
    state["authorizedKey"] = state["authorizedKey"].with_secret(True)
    inputs = {key: value for key, value in state.items() if key not in OUTPUTS}
    return asyncio.run(provider.read(ReadRequest(URN.format("Host", "edge1"), "sample-edge1", state, inputs)))


def test_what_has_gone_is_dropped_from_the_state(provider: LabProvider) -> None:
    assert read(provider, None).resource_id == ""


def test_a_stopped_host_keeps_its_outputs_and_its_secrets(provider: LabProvider) -> None:
    answer = read(provider, Found({**HOST, "state": "stopped"}, {}))
    assert plain(answer.inputs["state"]) == "stopped"
    assert plain(answer.properties["hostKey"]) == OUTPUTS["hostKey"]
    assert answer.inputs["authorizedKey"].is_secret


def test_ownership() -> None:
    mine = Owner(URN.format("Host", "edge1"), "clone")
    labels = mine.labels("spec")
    moved = Owner(URN.format("Host", "edge1").replace("EdgePool", "DirectorPool"), "clone")
    assert mine.stack == "sample"
    assert mine.owns(labels)
    assert mine.made(labels, "spec")
    assert not mine.made(labels, "other spec")
    assert not moved.owns(labels), "deleting the old resource must not remove the new one's host"
    assert moved.may_take(labels)
    assert not Owner(mine.urn, "another clone").may_take(labels)
    assert not mine.may_take({})


def test_network_file_of_a_host() -> None:
    text = network_config(
        {**HOST, "routes": [*HOST["routes"], {"to": "default", "via": "2001:db8::2", "interface": "eth1"}]}
    )
    assert '"eth0": [\n   "198.18.40.21/24"\n  ]' in text
    assert '"family": "6"' in text


def test_in_place_paths() -> None:
    handler = HostHandler(None, "clone")  # type: ignore[arg-type]
    assert not handler.replaces("interfaces[10].extra[3]")
    assert handler.replaces("interfaces[0].extras")
    assert handler.replaces("interfaces[1]")


plain_values = st.recursive(
    st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), inner),
)


@given(plain_values)
def test_plain_values_survive_the_wire(value: Any) -> None:
    sent = wrap({"it": value}).marshal()
    assert plain(type(wrap("")).unmarshal(sent)) == {"it": value}


@given(plain_values, plain_values)
def test_there_is_a_difference_exactly_where_values_differ(old: Any, new: Any) -> None:
    assert bool(list(changes(old, new))) == (old != new)

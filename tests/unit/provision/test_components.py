"""The Pulumi program with mocks: which resources it declares, under which names, with which inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import plans
import pulumi
import pytest
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks

from edgewright.provision.lab.adapter import LabAdapter
from edgewright.provision.program import declare

# For ever: another URN for the same thing makes Pulumi replace the machine. Add lines, never change them.
URNS = """
edgewright:index:Network::inside
edgewright:index:Network::outside
edgewright:index:Network::perimeter
edgewright:index:Network$lab:index:Network::inside
edgewright:index:Network$lab:index:Network::outside
edgewright:index:Network$lab:index:Network::perimeter
edgewright:index:Site::hq
edgewright:index:Site$edgewright:index:DirectorPool::director.test
edgewright:index:Site$edgewright:index:DirectorPool$lab:index:Host::director1
edgewright:index:Site$edgewright:index:EdgePool::edge.test
edgewright:index:Site$edgewright:index:EdgePool$lab:index:Host::edge1
edgewright:index:Site$edgewright:index:EdgePool$lab:index:Host::edge2
edgewright:index:Site$edgewright:index:Firewalls::hq-firewall-inner
edgewright:index:Site$edgewright:index:Firewalls::hq-firewall-outer
edgewright:index:Site$edgewright:index:Firewalls$lab:index:Host::fwin1
edgewright:index:Site$edgewright:index:Firewalls$lab:index:Host::fwout1
edgewright:index:Site$edgewright:index:FrontEndPool::fe.test
edgewright:index:Site$edgewright:index:FrontEndPool$lab:index:Host::fe1
edgewright:index:Site$edgewright:index:NameServers::hq-dns
edgewright:index:Site$edgewright:index:NameServers$lab:index:Host::ns1
edgewright:index:Site$edgewright:index:ReverseProxyPool::hq-reverse-proxy
edgewright:index:Site$edgewright:index:ReverseProxyPool$lab:index:Host::proxy1
edgewright:index:Surroundings::surroundings
edgewright:index:Surroundings$lab:index:Host::client4
edgewright:index:Surroundings$lab:index:Host::client6
edgewright:index:Surroundings$lab:index:Host::world1
lab:index:Volume::edge1-var-lib-edgewright
"""


class Recorder(Mocks):
    """Remembers what was declared; hosts answer with outputs as the provider would."""

    monitor: MockMonitor

    def __init__(self) -> None:
        self.resources: list[MockResourceArgs] = []
        self.exported: dict[str, Any] = {}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        raise AssertionError(f"nothing is asked of a provider: {args.token}")

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources.append(args)
        outputs = dict(args.inputs)
        if args.typ == "lab:index:Host":
            first = args.inputs["interfaces"][0]
            outputs |= {"hostKey": f"ssh-ed25519 {args.name}", "address": first["ipv4"] or first["ipv6"]}
        return args.name, outputs

    def inputs(self, kind: str, name: str) -> dict[str, Any]:
        [found] = [one.inputs for one in self.resources if (one.typ, one.name) == (kind, name)]
        return dict(found)


class Monitor(MockMonitor):
    """Makes URNs as the engine does, with all parents; the SDK's mock keeps only the nearest."""

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        above = parent.split("::")[2] if parent else "pulumi:pulumi:Stack"
        full = type_ if above == "pulumi:pulumi:Stack" else f"{above}${type_}"
        return f"urn:pulumi:sample::edgewright::{full}::{name}"


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    """The program has run once, with nothing but mocks."""
    mocks = Recorder()
    mocks.monitor = Monitor(mocks)
    pulumi.runtime.set_mocks(mocks, project="edgewright", stack="sample", monitor=mocks.monitor)

    @pulumi.runtime.test
    def program() -> pulumi.Output[Any]:
        machines = declare(plans.every_kind(), LabAdapter("sample", image, "ssh-ed25519 AAAAlogin"))
        return pulumi.Output.from_input(
            {name: {"address": one.address, "host_key": one.host_key} for name, one in machines.items()}
        ).apply(mocks.exported.update)

    program()
    return mocks


def image(packages: Iterable[str]) -> str:
    return f"image-with-{'-'.join(packages) or 'nothing'}"


def test_urns_are_for_ever(recorder: Recorder) -> None:
    found = {urn.split("::", 2)[2] for urn in recorder.monitor.get_registered_resources()}
    assert sorted(found - {"pulumi:pulumi:Stack::edgewright-sample"}) == sorted(URNS.split())


def test_names_carry_the_stack_so_that_labs_coexist(recorder: Recorder) -> None:
    named = [one for one in recorder.resources if one.typ.startswith("lab:")]
    assert named
    assert all(one.inputs["name"].startswith("sample-") for one in named)


def test_a_host_is_declared_in_full(recorder: Recorder) -> None:
    assert recorder.inputs("lab:index:Host", "edge1") == {
        "name": "sample-edge1",
        "hostname": "edge1.inside.test",
        "image": "image-with-kamailio",
        "interfaces": [
            {
                "name": "eth0",
                "network": "sample-outside",
                "ipv4": "198.18.40.21/24",
                "ipv6": "2001:db8:40::21/64",
                "extra": ["198.18.40.61/24", "2001:db8:40::61/64", "198.18.40.101/24", "2001:db8:40::101/64"],
            },
            {
                "name": "eth1",
                "network": "sample-perimeter",
                "ipv4": "198.18.41.21/24",
                "ipv6": "2001:db8:41::21/64",
                "extra": [],
            },
        ],
        "routes": [{"to": "default", "via": "198.18.40.2", "interface": "eth0"}],
        "volumes": [{"name": "sample-edge1-var-lib-edgewright", "path": "/var/lib/edgewright"}],
        "forwarding": "false",
        "authorizedKey": "ssh-ed25519 AAAAlogin",
        "state": "running",
    }


def test_a_missing_family_is_an_empty_string(recorder: Recorder) -> None:
    [only6] = recorder.inputs("lab:index:Host", "client6")["interfaces"]
    [only4] = recorder.inputs("lab:index:Host", "client4")["interfaces"]
    assert (only6["ipv4"], only6["ipv6"]) == ("", "2001:db8:40::206/64")
    assert (only4["ipv4"], only4["ipv6"]) == ("198.18.40.204/24", "")


def test_only_routers_forward(recorder: Recorder) -> None:
    hosts = [one for one in recorder.resources if one.typ == "lab:index:Host"]
    assert {one.name for one in hosts if one.inputs["forwarding"] == "true"} == {"fwout1", "fwin1"}


def test_existing_hosts_are_passed_on_and_not_made(recorder: Recorder) -> None:
    assert "fe2" not in {one.name for one in recorder.resources}
    assert recorder.exported["fe2"] == {"address": "198.18.42.62", "host_key": "ssh-ed25519 AAAAexisting"}
    assert set(recorder.exported) == set(plans.every_kind().hosts)


def test_networks_without_hosts_are_not_made(recorder: Recorder) -> None:
    made = {one.name for one in recorder.resources if one.typ == "lab:index:Network"}
    assert made == {"outside", "perimeter", "inside"}

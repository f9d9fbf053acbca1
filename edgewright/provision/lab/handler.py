"""What the provider asks of each kind of resource, and what all kinds share: whose things these are."""

from __future__ import annotations

import abc
import hashlib
import json
from dataclasses import dataclass
from typing import Any, ClassVar

from edgewright.provision.lab.podman import Podman
from edgewright.provision.lab.values import Plain
from edgewright.provision.shell import ProvisionError

URN = "edgewright.urn"
STACK = "edgewright.stack"
PROJECT = "edgewright.project"
SPEC = "edgewright.spec"


@dataclass(frozen=True, slots=True)
class Found:
    """What a resource really is: its inputs as found, and its outputs."""

    inputs: dict[str, Plain]
    outputs: dict[str, Plain]


def spec_hash(inputs: dict[str, Plain]) -> str:
    """Short hash of the inputs that cannot change without making the thing anew."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Owner:
    """Labels that say to which stack of which clone a thing belongs."""

    urn: str
    project: str

    @property
    def stack(self) -> str:
        """The stack's name, from the URN."""
        return self.urn.split("::")[0].removeprefix("urn:pulumi:")

    def labels(self, spec: str) -> dict[str, str]:
        """All labels of a thing made now."""
        return {URN: self.urn, STACK: f"{self.project}.{self.stack}", PROJECT: self.project, SPEC: spec}

    def owns(self, labels: dict[str, str]) -> bool:
        """Whether a thing with these labels is this very resource."""
        return labels.get(URN) == self.urn and labels.get(PROJECT) == self.project

    def made(self, labels: dict[str, str], spec: str) -> bool:
        """Whether it is this very resource, and made from what is wanted now."""
        return self.owns(labels) and labels.get(SPEC) == spec

    def may_take(self, labels: dict[str, str]) -> bool:
        """Whether it belongs to this stack: left by an interrupted run, or about to move within it."""
        return labels.get(STACK) == f"{self.project}.{self.stack}"


class Handler(abc.ABC):
    """One kind of resource over podman. Inputs and outputs are plain values."""

    kind: ClassVar[str]
    """Podman's word: container, network, volume."""
    outputs: ClassVar[tuple[str, ...]] = ()
    ignored: ClassVar[frozenset[str]] = frozenset()
    """Inputs that matter at creation only: a change is recorded and nothing is done."""

    def __init__(self, podman: Podman, project: str) -> None:
        """Work with this podman, for this clone."""
        self.podman = podman
        self.project = project

    def check(self, inputs: dict[str, Plain]) -> list[tuple[str, str]]:  # noqa: ARG002 (a hook)
        """Wrong inputs as (property path, what is wrong)."""
        return []

    def replaces(self, path: str) -> bool:  # noqa: ARG002 (a hook)
        """Whether a change at this path needs the thing to be made anew."""
        return True

    def known(self, inputs: dict[str, Plain]) -> dict[str, Plain]:  # noqa: ARG002 (a hook)
        """Outputs that follow from inputs, known before anything is made."""
        return {}

    @abc.abstractmethod
    def create(self, owner: Owner, inputs: dict[str, Plain]) -> dict[str, Plain]:
        """Make it (or take over what an interrupted run left); its outputs."""

    def update(self, owner: Owner, inputs: dict[str, Plain]) -> dict[str, Plain]:
        """Change it in place; its outputs."""
        raise NotImplementedError

    @abc.abstractmethod
    def read(self, owner: Owner, inputs: dict[str, Plain]) -> Found | None:
        """What is really there; None if it is gone."""

    @abc.abstractmethod
    def delete(self, owner: Owner, name: str) -> None:
        """Remove it, if it is there and ours."""

    def leftover(self, owner: Owner, name: str) -> dict[str, Any] | None:
        """The thing of that name that is there already, None if there is none.

        Raises:
            ProvisionError: There is one that is not ours; it is left alone.
        """
        there = self.podman.inspect(self.kind, name)
        if there is None:
            return None
        if not owner.may_take(labels_of(self.kind, there)):
            raise ProvisionError(
                f"{self.kind} {name} exists and was not made by this lab; it is left alone. "
                f"Remove it (podman {'rm' if self.kind == 'container' else self.kind + ' rm'} {name}) "
                "or give the deployment another name."
            )
        return there


def labels_of(kind: str, inspected: dict[str, Any]) -> dict[str, str]:
    """Labels in podman's answer, which are elsewhere for each kind."""
    if kind == "container":
        return dict(inspected["Config"].get("Labels") or {})
    return dict(inspected.get("labels") or inspected.get("Labels") or {})

"""The native Pulumi provider `lab`: checks, differences and the order of things; handlers do the work.

Served by the executable `pulumi-resource-lab` in this folder; no schema, no generated SDK. Traps of the SDK
that are worked round here: a computed value cannot be sent (the `UNKNOWN` string is), the type in a request
carries its parents' types, numbers come back as floats (all inputs are strings), an exception is shown behind
its class name.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from pulumi.provider.experimental import server as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import (
    CheckFailure,
    CheckRequest,
    CheckResponse,
    ConfigureRequest,
    ConfigureResponse,
    CreateRequest,
    CreateResponse,
    DeleteRequest,
    DiffRequest,
    DiffResponse,
    Provider,
    ReadRequest,
    ReadResponse,
    UpdateRequest,
    UpdateResponse,
)

from edgewright import __version__
from edgewright.provision import paths
from edgewright.provision.lab.handler import Handler, Owner
from edgewright.provision.lab.host import HostHandler
from edgewright.provision.lab.network import NetworkHandler, VolumeHandler
from edgewright.provision.lab.podman import Podman
from edgewright.provision.lab.values import UNKNOWN, changes, detailed, property_map, wrap
from edgewright.provision.shell import ProvisionError

T = TypeVar("T")
AT_ONCE = 6


class LabProvider(Provider):
    """Resources `lab:index:Network`, `lab:index:Volume` and `lab:index:Host`."""

    def __init__(self, podman: Podman, project: str) -> None:
        """Work with this podman, for the clone of this key."""
        self._project = project
        self._handlers: dict[str, Handler] = {
            "Network": NetworkHandler(podman, project),
            "Volume": VolumeHandler(podman, project),
            "Host": HostHandler(podman, project),
        }
        self._slots = asyncio.Semaphore(AT_ONCE)

    def _handler(self, kind: str) -> Handler:
        """The handler for a request's type, which reads like `...Site$lab:index:Host`."""
        return self._handlers[kind.rsplit("$", 1)[-1].rsplit(":", 1)[-1]]

    def _owner(self, urn: str) -> Owner:
        return Owner(urn, self._project)

    async def _work(self, call: Callable[[], T]) -> T:
        """Run something that blocks, a few at a time."""
        async with self._slots:
            return await asyncio.to_thread(call)

    async def check_config(self, request: CheckRequest) -> CheckResponse:
        """There is nothing to configure."""
        return CheckResponse(inputs=request.new_inputs)

    async def diff_config(self, request: DiffRequest) -> DiffResponse:  # noqa: ARG002
        """There is nothing to configure."""
        return DiffResponse(changes=False)

    async def configure(self, request: ConfigureRequest) -> ConfigureResponse:  # noqa: ARG002
        """Previews and secrets are understood."""
        return ConfigureResponse(accept_secrets=True, supports_preview=True, accept_resources=False)

    async def check(self, request: CheckRequest) -> CheckResponse:
        """Wrong inputs, each with its property path."""
        handler = self._handler(request.type)
        inputs = {
            key: value
            for key, value in request.new_inputs.items()
            if value.value is not None and key not in handler.outputs
        }
        failures = [CheckFailure(path, reason) for path, reason in handler.check(property_map(inputs))]
        return CheckResponse(inputs=inputs, failures=failures)

    async def diff(self, request: DiffRequest) -> DiffResponse:
        """What differs, and whether that can be changed in place."""
        handler = self._handler(request.type)
        new = property_map(request.new_inputs)
        old = {
            key: value for key, value in property_map(request.old_state).items() if key not in handler.outputs
        }
        found = [
            (path, kind)
            for path, kind in changes(old, new)
            if _top(path) not in handler.ignored and _top(path) not in request.ignore_changes
        ]
        return DiffResponse(
            changes=bool(found),
            replaces=sorted({_top(path) for path, _ in found if handler.replaces(path)}),
            diffs=sorted({_top(path) for path, _ in found}),
            delete_before_replace=True,
            detailed_diff=detailed(found, handler.replaces),
        )

    async def create(self, request: CreateRequest) -> CreateResponse:
        """Make it; in a preview only say what is known."""
        handler = self._handler(request.type)
        inputs = property_map(request.properties)
        if request.preview:
            return CreateResponse(None, self._preview(handler, inputs, request.properties))
        outputs = await self._work(lambda: handler.create(self._owner(request.urn), inputs))
        return CreateResponse(inputs["name"], {**request.properties, **_wrapped(outputs)})

    async def update(self, request: UpdateRequest) -> UpdateResponse:
        """Change it in place."""
        handler = self._handler(request.type)
        inputs = property_map(request.news)
        if request.preview:
            kept = {key: value for key, value in request.olds.items() if key in handler.outputs}
            return UpdateResponse({**request.news, **kept, **_wrapped(handler.known(inputs))})
        outputs = await self._work(lambda: handler.update(self._owner(request.urn), inputs))
        return UpdateResponse({**request.news, **_wrapped(outputs)})

    async def read(self, request: ReadRequest) -> ReadResponse:
        """What is really there. What has gone is dropped from the state: the next `up` makes it again."""
        handler = self._handler(request.type)
        inputs = property_map(request.inputs)
        if "name" not in inputs:
            return ReadResponse("", {}, {})
        found = await self._work(lambda: handler.read(self._owner(request.urn), inputs))
        if found is None:
            return ReadResponse("", {}, {})
        # What is as it was keeps its property, so that marks (secrets) on it are not lost.
        as_found = {
            key: request.inputs[key] if key in inputs and inputs[key] == value else wrap(value)
            for key, value in found.inputs.items()
        }
        kept = {key: value for key, value in request.properties.items() if key in handler.outputs}
        return ReadResponse(request.resource_id, {**kept, **as_found, **_wrapped(found.outputs)}, as_found)

    async def delete(self, request: DeleteRequest) -> None:
        """Remove it, if it is still there and ours."""
        handler = self._handler(request.type)
        await self._work(lambda: handler.delete(self._owner(request.urn), request.resource_id))

    @staticmethod
    def _preview(
        handler: Handler, inputs: dict[str, object], properties: dict[str, PropertyValue]
    ) -> dict[str, PropertyValue]:
        unknown = {key: PropertyValue(UNKNOWN) for key in handler.outputs}
        return {**properties, **unknown, **_wrapped(handler.known(inputs))}


def _wrapped(values: dict[str, object]) -> dict[str, PropertyValue]:
    return {key: wrap(value) for key, value in values.items()}


def _top(path: str) -> str:
    return path.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]


class Servicer(sdk.ProviderServicer):
    """The SDK's servicer, with errors told in their own words."""

    def __getattribute__(self, name: str) -> Any:
        """The calls that touch podman, each with its errors told; everything else as it is."""
        found = super().__getattribute__(name)
        return _told(found) if name in ("Create", "Update", "Read", "Delete") else found


def _told(call: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def told(request: Any, context: Any) -> Any:
        try:
            return await call(request, context)
        except ProvisionError as error:
            return await context.abort(grpc.StatusCode.UNKNOWN, str(error))

    return told


def main() -> None:
    """Serve the provider; Pulumi starts this and reads the port from its output."""
    place = paths.find()
    setattr(sdk, "ProviderServicer", Servicer)  # noqa: B010 (the SDK has no other way in)
    sdk.main(sys.argv[1:], __version__, LabProvider(Podman(place.containers_conf), place.key))

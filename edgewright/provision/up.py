"""`up` and `down`: from nothing to hosts that answer by ssh, and back.

`up` changes nothing when nothing differs. Order: what the machine lacks, then tools and images side by side,
then Pulumi (after putting right what a killed run left), then `machines.json`.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from edgewright.busy import alone
from edgewright.model import InputErrors, load
from edgewright.plan.types import Plan
from edgewright.provision import machines, needs, paths
from edgewright.provision.lab.handler import STACK
from edgewright.provision.lab.images import Images
from edgewright.provision.lab.podman import Podman
from edgewright.provision.lock import only_one
from edgewright.provision.paths import Paths
from edgewright.provision.planning import plan_of
from edgewright.provision.progress import Progress
from edgewright.provision.shell import ProvisionError, become
from edgewright.provision.stack import Stack, environment
from edgewright.provision.tools import Tools


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did."""

    machines: Path | None
    """The document written, if any."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Resources created, updated, replaced, deleted, unchanged."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds per step."""

    @property
    def changed(self) -> bool:
        """Whether anything was made, changed or removed."""
        return any(self.counts.get(word) for word in ("created", "updated", "replaced", "deleted"))


def up(folder: Path, progress: Progress, place: Paths | None = None) -> Done:
    """Provision a deployment: its lab hosts, or just the document if all its hosts exist already.

    Args:
        folder: The deployment's folder.
        progress: Where progress is shown.
        place: The clone; the one this package is in by default.

    Raises:
        InputErrors: The description is wrong.
        ProvisionError: Something is missing or failed; the text says what to do.
    """
    place = place or paths.find()
    plan = plan_of(folder)
    reached = machines.existing(plan)
    if len(reached) == len(plan.hosts):
        return Done(machines.write(place, plan, reached))
    become()
    what = f"up {plan.deployment}"
    with only_one(place, what), alone(place.deployment(plan.deployment), what):
        podman = prepare_machine(place, progress)
        need_networks(podman, plan)
        program = get_tools_and_images(place, podman, plan, progress)
        stack = Stack(place, program, plan.deployment, folder.resolve())
        with progress.step(f"hosts of {plan.deployment}") as step:
            stack.prepare()
            for line in stack.repair():
                progress.note(f"  {line}")
            counts = stack.up(step)
            step.say(", ".join(f"{count} {word}" for word, count in counts.items()))
            document = machines.write(place, plan, {**stack.outputs(), **reached})
        done = Done(document, counts, dict(progress.timings))
        if done.changed:
            # A shared connection to a host that was made anew or started would hang until ssh gives it up.
            close_connections(place, plan.deployment)
        return done


def ready(folder: Path, progress: Progress, place: Paths | None = None) -> dict[str, str]:
    """Everything that a bare `pulumi up` needs, without making any host: packages, tools, images, the stack.

    Returns:
        The environment for it.

    Raises:
        InputErrors: The description is wrong.
        ProvisionError: Something is missing or failed.
    """
    place = place or paths.find()
    plan = plan_of(folder)
    become()
    with only_one(place, f"env {plan.deployment}"):
        podman = prepare_machine(place, progress)
        program = get_tools_and_images(place, podman, plan, progress)
        Stack(place, program, plan.deployment, folder.resolve()).prepare()
    return environment(place, program)


def need_networks(podman: Podman, plan: Plan) -> None:
    """Networks that another deployment makes must be there.

    Raises:
        ProvisionError: One is not.
    """
    for network in plan.networks.values():
        if network.joined and podman.inspect("network", network.joined) is None:
            raise ProvisionError(
                f"network {network.name} of {plan.deployment} is another deployment's, {network.joined}, "
                "which is not there; bring that deployment up first, it brings up its partners, too"
            )


def prepare_machine(place: Paths, progress: Progress) -> Podman:
    """Install what is missing, check podman, set what the kernel must allow."""
    missing = needs.missing_packages()
    if missing:
        progress.note(f"Debian packages to be installed: {' '.join(missing)}")
        with progress.step("packages") as step:
            needs.install_packages(missing, step)
    podman = Podman(place.containers_conf)
    check = needs.check_podman(podman)
    if not check.good:
        raise ProvisionError(f"podman does not work: {check.says}\n  {check.advice}")
    for line in needs.fit_sysctls():
        progress.note(f"  sysctl {line} (`make down` puts it back)")
    return podman


def get_tools_and_images(place: Paths, podman: Podman, plan: Plan, progress: Progress) -> Path:
    """Pulumi, pebble and the images, side by side; the path of pulumi."""
    tools = Tools(place)
    sets = {host.packages for host in plan.hosts.values() if host.existing is None}
    with ThreadPoolExecutor(max_workers=3) as pool:
        built = pool.submit(Images(place, podman).ensure, sets, progress)
        pulumi = pool.submit(tools.pulumi, progress)
        # After pulumi: both are built by Go, and two builds at once only slow each other down.
        pebble = pool.submit(lambda: (pulumi.exception(), tools.pebble(progress)))
        built.result()
        pebble.result()
        return pulumi.result().path


def down(folder: Path, progress: Progress, place: Paths | None = None) -> Done:
    """Remove everything that `up` made for a deployment, and nothing else; tools, images and packages stay.

    Deployments that stand on its networks go first. What is really there is looked at, too: neither a broken
    file nor a lost state hinders it.
    """
    place = place or paths.find()
    become()
    counts: dict[str, int] = {}
    for one in (*dependents(folder, place), folder):
        for word, count in _down(one, progress, place).counts.items():
            counts[word] = counts.get(word, 0) + count
    return Done(None, counts, dict(progress.timings))


def dependents(folder: Path, place: Paths) -> list[Path]:
    """Folders of the deployments that must go before this one: its partners, whoever is on its networks."""
    name = folder.resolve().name
    found: dict[str, Path] = {}
    with contextlib.suppress(InputErrors):
        found = {one.name: one.folder for one in load(folder).together[1:] if one.internet is not None}
    if shutil.which("podman", path=needs.SEARCH) is not None:
        podman = Podman(place.containers_conf)
        for network in podman.names("network", f"{STACK}={place.key}.{name}"):
            labels = podman(
                "ps",
                "--all",
                "--filter",
                f"network={network}",
                "--format",
                f'{{{{index .Labels "{STACK}"}}}}',
            )
            for label in labels.splitlines():
                key, _, other = label.strip().partition(".")
                if key == place.key and other and other != name:
                    found.setdefault(other, folder.resolve().parent / other)
    return [found[other] for other in sorted(found)]


def _down(folder: Path, progress: Progress, place: Paths) -> Done:
    """Remove one deployment."""
    name = folder.resolve().name
    with only_one(place, f"down {name}"), alone(place.deployment(name), f"down {name}"):
        counts: dict[str, int] = {}
        close_connections(place, name)
        shutil.rmtree(place.sockets(name), ignore_errors=True)
        if shutil.which("podman", path=needs.SEARCH) is not None:
            podman = Podman(place.containers_conf)
            tool = Tools(place).find_pulumi()
            if tool is not None:
                stack = Stack(place, tool.path, name, folder.resolve())
                if stack.exists():
                    with progress.step(f"removing {name}") as step:
                        stack.repair()
                        counts = stack.destroy(step)
            for kind, left in sweep(place, podman, name).items():
                counts[kind] = len(left)
            for line in needs.restore_sysctls(podman):
                progress.note(f"  sysctl {line}")
        for file in ("machines.json", "known_hosts", "ssh_config", "id_ed25519"):
            (place.deployment(name) / file).unlink(missing_ok=True)
        return Done(None, counts, dict(progress.timings))


def sweep(place: Paths, podman: Podman, name: str) -> dict[str, list[str]]:
    """Remove what carries the stack's label and Pulumi does not know of; names by kind."""
    label = f"{STACK}={place.key}.{name}"
    swept = {}
    for kind in ("container", "network", "volume"):
        names = podman.names(kind, label)
        if names:
            podman(
                *(["rm", "--force", "--time", "2"] if kind == "container" else [kind, "rm", "--force"]),
                *names,
            )
            swept[f"left {kind}s removed"] = names
    return swept


def close_connections(place: Paths, name: str) -> None:
    """End the shared ssh connections of a deployment."""
    folder, config = place.sockets(name), place.deployment(name) / "ssh_config"
    if folder.is_dir():
        for socket in folder.iterdir():
            if config.exists():
                argv = ["ssh", "-F", str(config), "-o", f"ControlPath={socket}", "-O", "exit", "any"]
                subprocess.run(argv, check=False, capture_output=True, stdin=subprocess.DEVNULL)

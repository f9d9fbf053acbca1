"""`edgewright verify`: make the cells, run them, judge them, write the evidence, show it."""

from __future__ import annotations

import asyncio
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from edgewright import machines, plan
from edgewright.busy import alone
from edgewright.model import credentials
from edgewright.model.deployment import Deployment
from edgewright.plan.types import Plan
from edgewright.proof import cells, disruption, evidence, flips, inside, paused, peers, situations
from edgewright.proof.case import RIGHT, Case
from edgewright.proof.disruption import Enforce
from edgewright.proof.places import Place
from edgewright.proof.results import Results
from edgewright.proof.run import READ, Engine, ProofError, chosen, prove
from edgewright.proof.scope import Scope
from edgewright.proof.show import Show
from edgewright.proof.types import Impact
from edgewright.proof.witness import Witness

DISRUPT: frozenset[Impact] = frozenset({"read", "changes", "disrupts"})
"""The impacts of `--disrupt`."""


def cases(deployment: Deployment, planned: Plan | None = None) -> tuple[Case, ...]:
    """Every case of a deployment, whether or not it would be run."""
    return cells.make(Scope(deployment, planned or plan.make(deployment)))


def verify(
    deployment: Deployment,
    impacts: frozenset[Impact] = READ,
    only: Sequence[str] = (),
    *,
    enforce: Enforce | None = None,
    folder: Path | None = None,
    show: Show | None = None,
) -> Results:
    """Prove a deployment from outside and write the evidence.

    `enforce` brings policies to all hosts; without it no setting is turned over (impact `changes`).
    `folder` is where machines.json lies (default `.edgewright/<deployment>`); the evidence goes to
    `.edgewright/evidence/<time>` beside it. Nothing is proven unless `Results.proven` is true.

    Raises:
        ProofError: a pattern of `only` fits nothing, accounts are missing, or nothing can be tried.
        BusyError: another proof, or a change, is under way.
        MachinesError: the hosts have not been provisioned.
        CredentialsError: the passwords of the test accounts cannot be read.
    """
    folder = folder or credentials.state_folder(deployment)
    found = machines.load(folder)
    planned = plan.make(deployment)
    scope = Scope(deployment, planned)
    if enforce is None:
        impacts -= {"changes"}
    selected = chosen(cells.make(scope), impacts, only)
    if not selected:
        raise ProofError("there is nothing to try: the surroundings name no vantage (surroundings.yml)")
    needed = {c.cell.arguments["user"] for c in selected if c.cell.arguments.get("password") == RIGHT}
    passwords = credentials.accounts(deployment) if needed else {}
    if missing := sorted(needed - set(passwords)):
        raise ProofError(
            f"no password for {', '.join(missing)}: they belong into accounts.yml (docs/proof.md)"
        )
    show = show or Show()
    config = found.ssh_config
    waves = {case.wave for case in selected}
    # Flips of single settings close sessions that situations lean on.
    every = (*situations.all_of(scope), *flips.all_of(scope)) if "changes" in impacts else ()
    flipped = [flip for flip in every if flip.during in waves]
    sides, elsewhere = _abroad(scope, found)
    engine = Engine(
        cases=selected,
        witness=Witness(
            config, tuple(h.name for h in scope.ours if h.name in found.hosts), elsewhere=elsewhere
        ),
        passwords=passwords,
        open_place=lambda host: Place.over_ssh(elsewhere.get(host, config), host),
        hands=disruption.Hands(config, enforce, elsewhere),
        inspector=inside.Inspector(scope, config),
        # Who restarts a Front End cuts the sessions that the others lean on.
        disruptions=(*paused.all_of(scope), *disruption.all_of(scope)) if "disrupts" in impacts else (),
        flips=flipped,
        listener=show.done,
        sides=sides,
        name=deployment.name,
    )
    with alone(folder, f"verify {deployment.name}"), show.running(deployment.name, len(selected)):
        if flipped and enforce is not None:
            # What a proof that was killed left turned over would count as described.
            for described in {flip.described.name: flip.described for flip in flipped}.values():
                enforce(described)
        results = asyncio.run(
            prove(engine, deployment=deployment.name, digest=deployment.digest, versions=versions())
        )
    where = evidence.write(results, planned, folder.parent / "evidence")
    show.table(results, where)
    return results


def _abroad(scope: Scope, found: machines.Machines) -> tuple[dict[str, str], dict[str, Path]]:
    """Hosts of other organisations that can be asked: whose each is, and the ssh configuration to it."""
    sides: dict[str, str] = {}
    elsewhere: dict[str, Path] = {}
    for peer in peers.all_of(scope):
        theirs = found
        if peer.deployment is not None:
            try:
                theirs = machines.load(credentials.state_folder(peer.deployment))
            except machines.MachinesError:
                continue  # somebody else runs it: nobody there can be asked
        for host in peer.hosts:
            if host in theirs.hosts:
                sides.setdefault(host, peer.domain)
                elsewhere[host] = theirs.ssh_config
    return sides, elsewhere


def versions() -> dict[str, str]:
    """What ran: this program, its source, Python."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "edgewright": version("edgewright"),
        "source": said.stdout.strip() or "unknown",
        "python": platform.python_version(),
    }

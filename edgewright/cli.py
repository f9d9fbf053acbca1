"""`edgewright`: thin verbs; each one calls a function of the room it belongs to.

Exit status: 0 well; 1 something failed, or the proof does not hold; 2 the input is wrong, nothing was done.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from edgewright import __version__, machines
from edgewright import plan as planning
from edgewright.access import verbs
from edgewright.access.explain import QuestionError
from edgewright.access.revisions import RevisionError
from edgewright.busy import BusyError
from edgewright.machines import MachinesError
from edgewright.model import check as checking
from edgewright.model import credentials, ldap_source, load, passwords
from edgewright.model.credentials import CredentialsError
from edgewright.model.describe import schema as schema_of
from edgewright.model.findings import InputErrors, Unplannable
from edgewright.model.load import FILES
from edgewright.model.messages import nearest
from edgewright.model.vault import VaultError
from edgewright.plan import render
from edgewright.plan.render import UnknownSectionError
from edgewright.proof.evidence import newest
from edgewright.proof.run import READ, ProofError
from edgewright.proof.verify import DISRUPT, cases
from edgewright.proof.verify import verify as prove
from edgewright.provision import configure, paths
from edgewright.provision import partners as federating
from edgewright.provision import policies as enforcing
from edgewright.provision import status as looking
from edgewright.provision import up as provisioning
from edgewright.provision.progress import Progress
from edgewright.provision.shell import ProvisionError, UnknownNameError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="External user access as Lync Server 2013 had it: described once, provisioned, configured, proven.",
)
user_app = typer.Typer(no_args_is_help=True, help="Accounts.")
app.add_typer(user_app, name="user")

FolderArgument = Annotated[
    Path, typer.Argument(envvar="EDGEWRIGHT_DEPLOYMENT", help="The deployment's folder.", show_default=True)
]
FolderOption = Annotated[
    Path, typer.Option("--deployment", "-d", envvar="EDGEWRIGHT_DEPLOYMENT", help="The deployment's folder.")
]
CONTOSO = Path("inventory/contoso")
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print every step, also without a terminal.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Do not ask the LDAP directory; what was last read counts.")
]


def out(text: str) -> None:
    """Text as it is, for people and for pipes."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


@app.command()
def check(folder: FolderArgument = CONTOSO) -> None:
    """Is the description right, and does it follow the documented rules?"""
    report = checking.check(folder, planning.make)
    for finding in report.findings:
        out(str(finding))
    if report.errors:
        raise typer.Exit(2)
    counts = f"{len(report.warnings)} warnings, {len(report.waived)} waived"
    typer.echo(f"{folder}: no errors, {counts}", err=True)


@app.command()
def directory(
    folder: FolderArgument = CONTOSO,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Also where more users are gone than ldap.yml allows.")
    ] = False,
) -> None:
    """Read users and groups anew from where ldap.yml says; in force from then on if nothing is wrong."""
    if not ldap_source.used(folder):
        raise typer.BadParameter(f"{folder} has no ldap.yml")
    if not _directory(folder, accept_loss=accept_loss):
        raise typer.Exit(1)


@app.command()
def plan(
    folder: FolderArgument = CONTOSO,
    form: Annotated[
        Literal["table", "json", "markdown", "zone", "nft"], typer.Option("--format", "-f", help="How.")
    ] = "table",
    section: Annotated[str | None, typer.Option("--section", "-s", help="Part, zone or host.")] = None,
    into: Annotated[Path | None, typer.Option("--into", help="Write zone or nft files here.")] = None,
) -> None:
    """What follows from the description: addresses, DNS, certificates, firewall flows, publications."""
    made = planning.make(load(folder))
    if into is None:
        out(render.show(made, form, section))
        return
    if form not in ("zone", "nft"):
        raise typer.BadParameter("--into is for the formats zone and nft")
    for name, text in render.files(made, form, section).items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        out(str(path))


@app.command()
def explain(
    words: Annotated[list[str], typer.Argument(help="e.g. alice sign-in; bob im dana@fabrikam.example")],
    folder: FolderOption = CONTOSO,
    origin: Annotated[str, typer.Option("--from", help="outside, inside, or a vantage.")] = "outside",
    srv: Annotated[str | None, typer.Option("--srv", help="The SRV target of an unlisted domain.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With `allowed` and `reason`.")] = False,
) -> None:
    """Who may do what, and which settings decide."""
    out(verbs.explain(folder, words, origin=origin, srv=srv, as_json=as_json))


@app.command()
def matrix(
    folder: FolderArgument = CONTOSO,
    form: Annotated[
        Literal["text", "markdown", "html", "json"], typer.Option("--format", "-f", help="How.")
    ] = "text",
    diff: Annotated[
        str | None, typer.Option("--diff", help="Against a git revision or another deployment's folder.")
    ] = None,
) -> None:
    """Parties x features as this deployment allows them, or what a change of policy opens and closes."""
    out(verbs.matrix(folder, form=form) if diff is None else verbs.matrix_diff(folder, diff, form=form))


@app.command()
def schema(
    file: Annotated[str, typer.Argument(help=", ".join(FILES))],
) -> None:
    """The JSON Schema of a file of the description, for editors."""
    if file not in FILES:
        raise typer.BadParameter(f"no file '{file}' has a schema{nearest(file, FILES)}")
    out(json.dumps(schema_of(file), indent=2))


@app.command()
def up(
    folder: FolderArgument = CONTOSO,
    hosts_only: Annotated[bool, typer.Option("--hosts-only", help="Do not configure, do not prove.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Configure, but do not prove.")] = False,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """From nothing to proven: provision, configure, prove, write the evidence. Again: changes nothing.

    Partners that are deployments of their own come along.
    """
    _directory(folder, offline=offline)
    deployment = load(folder)
    together = deployment.together
    for one in together:
        planning.make(one)
    with Progress(verbose=verbose) as progress:
        for one in together:
            credentials.make_lab(one)
            provisioning.up(one.folder, progress)
        if hosts_only:
            return
        _configure([one.folder for one in together], progress)
    if not no_verify:
        _prove(folder, disrupt=True)


@app.command()
def env(folder: FolderArgument = CONTOSO, verbose: Verbose = False) -> None:
    """Print the environment for a bare pulumi, ansible-playbook or pytest; gets what they need first."""
    place = paths.find()
    with Progress(verbose=verbose) as progress:
        for one in load(folder).together:
            credentials.make_lab(one)
            found = provisioning.ready(one.folder, progress)
    playbook = {
        name: value for name, value in configure.environment(place).items() if name.startswith("ANSIBLE_STRA")
    }
    base = {"ANSIBLE_CONFIG": str(place.root / "ansible.cfg"), **playbook}

    for name, value in {**found, **base}.items():
        if os.environ.get(name) != value:
            out(f"export {name}={shlex.quote(value)}")


@app.command()
def apply(
    folder: FolderArgument = CONTOSO,
    limit: Annotated[list[str] | None, typer.Option("--limit", help="Only these hosts or groups.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tags", help="Only these roles.")] = None,
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing, say what would be changed.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show the differences.")] = False,
    policies: Annotated[
        bool,
        typer.Option("--policies", help="Only policies, users and passwords: live, on all hosts or none."),
    ] = False,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Configure the hosts as described."""
    _directory(folder, offline=offline)
    if policies:
        if limit or tags or check_only or diff:
            raise typer.BadParameter(
                "--policies is for all hosts; `edgewright status` shows what would change"
            )
        _policies(folder, verbose=verbose)
        return
    deployment = load(folder)
    made = machines.load(credentials.state_folder(deployment))
    configure.examine(planning.make(deployment), made, limit or (), tags or ())
    with Progress(verbose=verbose) as progress:
        _configure([folder], progress, limit=limit or (), tags=tags or (), check=check_only, diff=diff)


@app.command()
def verify(
    folder: FolderArgument = CONTOSO,
    only: Annotated[list[str] | None, typer.Option("--only", help="Cells whose id fits the pattern.")] = None,
    disrupt: Annotated[
        bool, typer.Option("--disrupt", help="Also what changes or disrupts; a lab may.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Only print the ids of all cells.")] = False,
) -> None:
    """Prove it from outside; exit 0 only if every cell is proven."""
    if listed:
        out("\n".join(case.cell.id for case in cases(load(folder))))
        return
    _prove(folder, disrupt=disrupt, only=only or ())


@app.command()
def report(folder: FolderArgument = CONTOSO) -> None:
    """The verdicts of the deployment's newest evidence, and where its page is."""
    deployment = load(folder)
    try:
        out(newest(credentials.state_folder(deployment).parent / "evidence", deployment.name))
    except FileNotFoundError:
        typer.echo(
            f"{deployment.name} has not been proven yet; `edgewright verify {folder}` does it", err=True
        )
        raise typer.Exit(2) from None


@app.command()
def status(folder: FolderArgument = CONTOSO) -> None:
    """How every host answers, what failed there, own additions, and whether it enforces what is described.

    Partners that are deployments of their own are looked at, too.
    """
    found = looking.status(folder.resolve().name)
    together = load(folder).together
    found += [host for one in together[1:] for host in looking.status(one.name)]
    drift = [answer for one in together for answer in enforcing.drift_of(one)]
    table = Table()
    for title in ("host", "kind", "address"):
        table.add_column(title, no_wrap=True)
    for title in ("state", "failed units", "local additions"):
        table.add_column(title, overflow="fold")
    for host in found:
        table.add_row(
            host.name, host.kind, host.address, host.state, " ".join(host.failed), " ".join(host.local)
        )
    console = _console()
    console.print(table)
    policies = Table("host", "policies")
    for answer in drift:
        policies.add_row(answer.host, answer.state)
    console.print(policies)
    if any(host.state != "running" for host in found) or not all(answer.good for answer in drift):
        raise typer.Exit(1)


@app.command()
def partners(
    folder: FolderArgument = CONTOSO,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, each Edge by itself.")] = False,
) -> None:
    """Partners and providers, configured or seen: state, certificate, rate, contacts, last refusal."""
    found = federating.partners(load(folder))
    if as_json:
        out(json.dumps(federating.document(found), indent=2))
    else:
        table = Table(*federating.COLUMNS)
        for row in federating.rows(found):
            table.add_row(*row)
        _console().print(table)
    for host, why in found.unreachable.items():
        typer.echo(f"{host}: {why}", err=True)
    if found.unreachable:
        raise typer.Exit(1)


@app.command()
def ssh(
    host: Annotated[str, typer.Argument(help="Its name.")],
    command: Annotated[list[str] | None, typer.Argument(help="What to run there.")] = None,
    folder: FolderOption = CONTOSO,
) -> None:
    """Log in to a host, a partner's too, or run a command there."""
    names = [one.name for one in load(folder).together]
    raise typer.Exit(looking.ssh(names, host, command or []))


@app.command()
def down(folder: FolderArgument = CONTOSO, verbose: Verbose = False) -> None:
    """Remove all that `up` made, partners' deployments too, and nothing else."""
    with Progress(verbose=verbose) as progress:
        done = provisioning.down(folder, progress)
    typer.echo(", ".join(f"{count} {word}" for word, count in done.counts.items()) or "nothing was there")


@app.command()
def doctor() -> None:
    """What is there, what is missing on this machine, and which pulumi is in use."""
    table = Table("", "what", "found")
    checks = looking.doctor()
    for found in checks:
        table.add_row(
            "[green]ok[/]" if found.good else "[red]missing[/]",
            found.name,
            found.says + ("" if found.good or not found.advice else f"; {found.advice}"),
        )
    _console().print(table)


@app.command()
def secrets(
    folder: FolderArgument = CONTOSO,
    rotate: Annotated[list[str] | None, typer.Option("--rotate", help="Make this one anew.")] = None,
) -> None:
    """Add the pools' secrets that are missing to the encrypted credentials."""
    made = credentials.add_secrets(load(folder), tuple(rotate or ()))
    typer.echo(f"made: {', '.join(made.secrets)}" if made.secrets else "nothing was missing")


@user_app.command("password")
def user_password(
    address: Annotated[str, typer.Argument(help="alice@contoso.example")], folder: FolderOption = CONTOSO
) -> None:
    """Set a user's password: asked for, or one line of standard input. Only digests are kept."""
    deployment = load(folder)
    path = credentials.set_password(deployment, address, passwords.ask(address))
    typer.echo(f"{path}: set; `edgewright apply --policies` brings it to the hosts", err=True)


@app.command()
def version() -> None:
    """The version of Edgewright."""
    out(__version__)


def _console() -> Console:
    """Standard output; wide enough for whole lines where no terminal says how wide it is."""
    return Console() if sys.stdout.isatty() or "COLUMNS" in os.environ else Console(width=160)


def _configure(folders: list[Path], progress: Progress, **options: Any) -> None:
    """Run the playbook; exit 1 with what failed."""
    done = configure.apply(folders, progress, **options)
    console = Console(stderr=True, highlight=False)
    for host, text in done.diffs:
        console.print(f"{host}:\n{text}", markup=False, soft_wrap=True)
    for host, action in done.actions:
        console.print(f"  {host}: {action}", markup=False, soft_wrap=True)
    if done.check:
        for host, path in done.paths:
            console.print(f"  {host}: would change {path}", markup=False, soft_wrap=True)
    for failure in done.failures:
        where = f"{failure.host}: {failure.role}: {failure.task}"
        console.print(f"{where}: {failure.message}", markup=False, style="red", soft_wrap=True)
    if not done.good:
        raise typer.Exit(1)


def _directory(folder: Path, *, offline: bool = False, accept_loss: bool = False) -> bool:
    """Read the LDAP directory anew, if there is one; where it is down the last good one stays, loudly.

    Returns:
        Whether what is in force now is what is wanted.
    """
    if not ldap_source.used(folder):
        return True
    last = ldap_source.last_good(folder)
    if offline:
        typer.echo(f"offline: users and groups as read {last or 'never'}", err=True)
        return True
    try:
        done = ldap_source.refresh(folder, accept_loss=accept_loss)
    except ldap_source.LdapDownError as error:
        if not last:
            raise ProvisionError(str(error)) from None
        said = f"WARNING: {error}; users and groups as read {last} stay in force"
        Console(stderr=True, highlight=False, soft_wrap=True).print(said, style="bold red", markup=False)
        return False
    counts = f"{done.added} new, {done.changed} changed, {done.removed} removed"
    typer.echo(f"directory: {done.users} users, {done.groups} groups; {counts}", err=True)
    return True


def _policies(folder: Path, *, verbose: bool) -> None:
    """Enforce policies, users and passwords everywhere, and say what it took."""
    deployment = load(folder)
    with Progress(verbose=verbose) as progress, progress.step("policies") as step:
        done = enforcing.apply(enforcing.target(deployment), step.say)
    for host in done.hosts:
        if host.changed:
            what = f"{', '.join(host.changed)}: {host.rows} rows, in force within {host.switched:.2f} s"
            typer.echo(f"  {host.name}: {what}", err=True)
    if not any(host.changed for host in done.hosts):
        typer.echo("  every host enforced it already", err=True)
    for text in done.unfinished:
        typer.echo(f"  {text}", err=True)
    if done.unfinished:
        raise typer.Exit(1)


def _prove(folder: Path, *, disrupt: bool, only: list[str] | tuple[str, ...] = ()) -> None:
    """Run the proof; exit 1 unless every cell is proven."""
    deployment = load(folder)
    enforce = enforcing.enforcer(deployment) if disrupt else None
    if not prove(deployment, DISRUPT if disrupt else READ, list(only), enforce=enforce).proven:
        raise typer.Exit(1)


@contextmanager
def _told() -> Iterator[None]:
    """Errors that the operator can mend are sentences, not tracebacks."""
    wrong_input = (
        InputErrors,
        Unplannable,
        CredentialsError,
        VaultError,
        MachinesError,
        QuestionError,
        RevisionError,
        UnknownSectionError,
        ProofError,
        UnknownNameError,
    )
    try:
        yield
    except wrong_input as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None
    except (ProvisionError, BusyError) as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from None
    except OSError as error:
        # A full disk, a folder that may not be written: the file and the system's own words.
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"{where}{error.strerror or error}", err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; run it again to go on", err=True)
        raise SystemExit(130) from None


def main() -> None:
    """Entry point of the console script."""
    with _told():
        app()


if __name__ == "__main__":
    main()

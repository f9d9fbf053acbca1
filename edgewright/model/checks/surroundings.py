"""Vantages, the world, partners and test accounts."""

from __future__ import annotations

from collections.abc import Iterator

from edgewright.model.checks.problem import Problem
from edgewright.model.deployment import Deployment
from edgewright.model.documents import Place
from edgewright.model.index import hosts
from edgewright.model.messages import nearest
from edgewright.model.surroundings import Surroundings
from edgewright.model.topology import Family, Network

FILE = "surroundings.yml"


def _places(deployment: Deployment) -> Iterator[Problem]:
    """Hosts of the surroundings are in networks that exist, with families that those have."""
    surroundings = deployment.surroundings
    if surroundings is None:
        return
    networks = deployment.topology.networks
    for place, name, families, given in _hosts(surroundings):
        network = networks.get(name)
        if network is None:
            message = f"there is no network '{name}'{nearest(name, networks)}"
            yield Problem(FILE, (*place, "network"), message, str(place[-1]))
            continue
        missing = [family for family in families if getattr(network, family) is None]
        if families and len(missing) == len(families):
            message = f"network {name} has no {' or '.join(families)}; nothing could be tried from here"
            yield Problem(FILE, place, message, str(place[-1]))
        elif missing and given:
            message = f"network {name} has no {missing[0]}; leave the family out of `families`"
            yield Problem(FILE, (*place, "families"), message, str(place[-1]))


def _hosts(surroundings: Surroundings) -> Iterator[tuple[Place, str, tuple[Family, ...], bool]]:
    """Place in the file, network, families, and whether these are written there."""
    for name, vantage in surroundings.vantages.items():
        given = "families" in vantage.model_fields_set
        yield ("vantages", name), vantage.network, vantage.families, given
    if surroundings.world:
        yield ("world",), surroundings.world.network, (), False
    for _, place, partner in surroundings.hosts():
        yield place, partner.network, partner.families, "families" in partner.model_fields_set


def _accounts(deployment: Deployment) -> Iterator[Problem]:
    """Test accounts are users, each given once; those of partners are of the partner's domains."""
    surroundings = deployment.surroundings
    if surroundings is None:
        return
    users = deployment.directory.users
    for index, address in enumerate(surroundings.accounts):
        if address not in users:
            hint = nearest(address, users) if len(users) < 1000 else ""
            hint = hint if "did you mean" in hint else ""
            message = f"test account {address} is not in the directory{hint}"
            yield Problem(FILE, ("accounts", index), message, address)
        yield from _twice(("accounts",), surroundings.accounts, index)
    theirs: list[tuple[Place, tuple[str, ...], tuple[str, ...]]] = [
        (("partners", domain, "accounts"), partner.accounts, (domain, *partner.also))
        for domain, partner in surroundings.partners.items()
    ]
    if surroundings.impostor:
        impostor = surroundings.impostor
        theirs.append((("impostor", "accounts"), impostor.accounts, (impostor.domain,)))
    for place, accounts, domains in theirs:
        for index, address in enumerate(accounts):
            domain = address.partition("@")[2]
            if domain not in domains:
                message = f"{address} is not of this partner's domain{nearest(domain, domains)}"
                yield Problem(FILE, (*place, index), message, address)
            yield from _twice(place, accounts, index)


def _twice(place: Place, accounts: tuple[str, ...], index: int) -> Iterator[Problem]:
    if accounts[index] in accounts[:index]:
        message = f"test account {accounts[index]} is given twice; keep one of them"
        yield Problem(FILE, (*place, index), message, accounts[index])


def _internet(deployment: Deployment) -> Iterator[Problem]:
    """There is one Internet: made here, another deployment's, or given; the lab's partners need ours."""
    surroundings = deployment.surroundings
    if surroundings is None:
        return
    given = bool(surroundings.resolvers or surroundings.acme)
    if surroundings.world and given:
        message = "`world` makes resolver and ACME directory: give either `world`, or `resolvers` and `acme`"
        yield Problem(FILE, ("world",), message)
    if surroundings.internet is not None:
        if surroundings.world or given:
            message = "`internet` is another deployment's: leave out `world`, `resolvers` and `acme`"
            yield Problem(FILE, ("internet",), message)
        yield from _shared(deployment, surroundings.internet)
    if surroundings.world is None:
        place: Place | None = next((place for _, place, _ in surroundings.hosts()), None)
        place = place or (("astray",) if surroundings.astray else None)
        if place:
            message = "the lab makes this only on an Internet of its own: give `world`, e.g. `{host: world1}`"
            yield Problem(FILE, place, message)


def _shared(deployment: Deployment, folder: str) -> Iterator[Problem]:
    """The other deployment has a world, on a network that is ours, too."""
    other = deployment.internet
    world = other.surroundings.world if other and other.surroundings else None
    if other is None:
        return
    if world is None:
        yield Problem(FILE, ("internet",), f"{folder} has no `world` in its surroundings.yml")
        return
    theirs = other.topology.networks.get(world.network)
    outside = {site.network("outside") for site in deployment.topology.sites.values()}
    for name in sorted(outside & deployment.topology.networks.keys()):
        mine = deployment.topology.networks[name]
        if theirs is not None and (mine.ipv4, mine.ipv6) != (theirs.ipv4, theirs.ipv6):
            message = (
                f"network {name} should be the Internet of {other.name}, which is {_subnets(theirs)}; "
                f"write the same subnets here"
            )
            yield Problem("topology.yml", ("networks", name), message, name)


def _subnets(network: Network) -> str:
    return " and ".join(str(one) for one in (network.ipv4, network.ipv6) if one is not None)


def _partners(deployment: Deployment) -> Iterator[Problem]:
    """Partners are others, each domain is one's, and their deployments have other hosts and this Internet."""
    surroundings = deployment.surroundings
    if surroundings is None:
        return
    seen = dict.fromkeys(deployment.topology.sip_domains, "this organisation's own")
    for place, domain, whose in _domains(surroundings):
        other = seen.setdefault(domain, whose)
        if other != whose:
            message = f"{domain} is already {other}; each domain belongs to one"
            yield Problem(FILE, place, message, domain)
    names = {host.name for host in hosts(deployment)}
    for domain, partner in deployment.partners.items():
        here: Place = ("partners", domain, "deployment")
        if domain not in partner.topology.sip_domains:
            known = partner.topology.sip_domains
            message = f"{domain} is no SIP domain of {partner.name}{nearest(domain, known)}"
            yield Problem(FILE, here, message, domain)
        if surroundings.world and partner.internet is None:
            message = (
                f"say in its surroundings.yml that {partner.name} is on this Internet: `internet: FOLDER`"
            )
            yield Problem(FILE, here, message, domain)
        for name in sorted(names & {host.name for host in hosts(partner)}):
            message = f"{partner.name} has a host {name}, too; the proof needs one name for each host"
            yield Problem(FILE, here, message, domain)
        names |= {host.name for host in hosts(partner)}
    known_hosts = {name for name, _, _ in surroundings.hosts()}
    for domain, astray in surroundings.astray.items():
        if astray.at is not None and astray.at not in known_hosts:
            message = f"there is no partner's host '{astray.at}'{nearest(astray.at, known_hosts)}"
            yield Problem(FILE, ("astray", domain, "at"), message, domain)


def _domains(surroundings: Surroundings) -> Iterator[tuple[Place, str, str]]:
    """Every domain of the surroundings: where it stands, and whose it is."""
    for domain, partner in surroundings.partners.items():
        yield ("partners", domain), domain, f"the partner {domain}"
        for index, other in enumerate(partner.also):
            yield ("partners", domain, "also", index), other, f"the partner {domain}'s"
    if surroundings.impostor:
        yield ("impostor", "domain"), surroundings.impostor.domain, "the impostor's"
    for domain in surroundings.astray:
        yield ("astray", domain), domain, "astray"


EXAMINATIONS = (_places, _accounts, _internet, _partners)

"""A question in words, and its answer in one sentence with the chain behind it."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from edgewright.access import partners
from edgewright.access.decide import decide
from edgewright.access.features import WORDS
from edgewright.access.reasons import REASONS
from edgewright.access.request import OURS, Client, Meeting, Party, Request

if TYPE_CHECKING:
    from edgewright.access.decision import Decision, Link
    from edgewright.model.deployment import Deployment
    from edgewright.model.topology import Family

CLIENTS: tuple[Client, ...] = ("windows_phone", "iphone", "ipad", "android", "iphone_2010")
FAMILIES: dict[str, Family] = {"v4-only": "ipv4", "ipv4": "ipv4", "v6-only": "ipv6", "ipv6": "ipv6"}
PLACES = ("outside", "inside", "mobile", "v4-only", "v6-only")
FILLER = frozenset({"meeting", "of", "the", "a", "to", "with", "in"})


FACTS = {
    "password_proven": "the password is right",
    "registered": "the sender has signed in on this connection",
    "callee_available": "the callee has signed in",
    "peer_found": "DNS says where the partner's Access Edge is",
    "peer_answers": "the partner's Access Edge answers",
    "within_rate": "the discovered partner sends no more messages a second than are taken",
    "within_contacts": "the discovered partner reaches no more of our users than are allowed",
    "peer_trusted": "the peer's certificate and name are trusted",
    "peer_agrees": "the other organisation agrees",
    "recipient_accepts": "the recipient does not block the sender",
    "contact": "the sender is among the recipient's contacts",
    "licensed": "the user has the provider's licence",
    "wifi": "the phone is in a wireless network",
    "meeting.known": "the meeting exists",
    "meeting.key_valid": "the conference key is right",
    "meeting.admitted": "a presenter has let the guest in",
    "meeting.promoted": "a presenter has made the participant a presenter",
}
"""Facts of the moment in words; a question asked in words takes them for given."""


class QuestionError(ValueError):
    """The question cannot be understood; the message says what can be asked."""


def ask(deployment: Deployment, words: list[str], origin: str = "outside", srv: str | None = None) -> Request:
    """A question in words, such as `bob im dana@fabrikam.example` or `anonymous join erin`.

    `words`: who, what, and where needed whom or whose meeting ("meeting of erin"). A name without @ is a user
    of ours. `origin`: outside, inside, mobile (or a kind of phone), v4-only, v6-only, or a vantage of the
    deployment. `srv`: the host that the foreign domain's federation SRV names, where that matters.

    Raises:
        QuestionError: who, what or the place is not known.
    """
    words = [word.strip("<>'\"") for part in words for word in part.split()]
    if len(words) < 2:
        raise QuestionError("say who, what, and whom or whose meeting: alice im bob; anonymous join erin")
    who, verb, *rest = words
    feature = WORDS.get(verb)
    if feature is None:
        known = ", ".join(dict.fromkeys(entry.word for entry in WORDS.values()))
        raise QuestionError(f"unknown feature {verb}; known are {known}")
    others = [word for word in rest if word not in FILLER]
    if len(others) > 1:
        raise QuestionError(f"too many names: {', '.join(others)}")
    party, family, client = place(deployment, origin)
    asker = None if who == "anonymous" else _address(deployment, who)
    request = Request(party, feature.id, asker, family=family, client=client, srv_target=srv, on=today())
    if asker is None:
        request = replace(request, party="anonymous", client=None)
    elif asker.rpartition("@")[2] not in deployment.topology.sip_domains:
        found = partners.classify(deployment, asker.rpartition("@")[2], srv)
        request = replace(request, party=found.kind, client=None)
    if others:
        other = _address(deployment, others[0])
        if feature.shape == "meeting":
            request = replace(request, meeting=Meeting(other))
        elif feature.shape == "person":
            request = replace(request, to=other)
        else:
            raise QuestionError(f"{feature.word} concerns {who} alone: leave {others[0]} out")
    elif feature.shape == "person" and feature.id != "M01":
        raise QuestionError(f"{feature.word} needs somebody at the other end: {who} {feature.word} bob")
    elif feature.shape == "meeting" and request.party not in OURS:
        raise QuestionError(f"{feature.word} needs a meeting: {who} {feature.word} meeting of erin")
    return request


def today() -> date:
    """The calendar day that counts for providers which ended (X04)."""
    return date.today()  # noqa: DTZ011  (a provider ends on a calendar day, wherever that is)


def place(deployment: Deployment, origin: str) -> tuple[Party, Family | None, Client | None]:
    """The party, the only IP family and the client that belong to a place.

    Raises:
        QuestionError: there is no such place.
    """
    vantages = deployment.surroundings.vantages if deployment.surroundings else {}
    if origin in vantages:
        vantage = vantages[origin]
        inside = {site.network("inside") for site in deployment.topology.sites.values()}
        only = vantage.families[0] if len(vantage.families) == 1 else None
        return ("internal" if vantage.network in inside else "remote"), only, None
    if origin in ("outside", "inside"):
        return ("remote" if origin == "outside" else "internal"), None, None
    if origin in FAMILIES:
        return "remote", FAMILIES[origin], None
    if origin == "mobile":
        return "mobile", None, None
    phone = next((client for client in CLIENTS if client == origin.replace("-", "_")), None)
    if phone is None:
        raise QuestionError(f"unknown place {origin}; known are {', '.join((*PLACES, *CLIENTS, *vantages))}")
    return "mobile", None, phone


def _address(deployment: Deployment, word: str) -> str:
    word = word.removeprefix("sip:").lower()
    if "@" in word:
        return word
    found = [address for address in deployment.directory.users if address.partition("@")[0] == word]
    if len(found) > 1:
        raise QuestionError(f"{word} is ambiguous: {', '.join(found)}")
    return found[0] if found else f"{word}@{deployment.realm}"


def sentence(decision: Decision) -> str:
    """The answer in one sentence."""
    request = decision.request
    feature = WORDS[request.feature]
    subject = request.who or "a guest without an account"
    what = feature.name
    if request.to:
        what += f" with {request.to}"
    if request.meeting is not None:
        what += f" (of {request.meeting.organiser})"
    where = {"internal": " from inside", "remote": " from outside", "mobile": " with a mobile client"}.get(
        request.party, ""
    )
    if request.family:
        where += f" over {request.family.replace('ipv', 'IPv')} only"
    if decision.reason is None:
        return f"Allowed: {subject} may {what}{where}."
    return f"Refused ({decision.reason}): {subject} may not {what}{where}. {REASONS[decision.reason].detail}"


def line(link: Link) -> str:
    """One link of the chain as people read it."""
    mark = "-" if link.kind == "note" else "+" if link.ok else "x"
    if link.kind in ("row", "note"):
        return f"{mark} {link.path[0]}: {link.value}"
    if link.kind == "fact" and link.name in FACTS:
        return f"{mark} {'assumed' if link.ok else 'not so'}: {FACTS[link.name]}  [{link.source}]"
    text = f"{mark} {link.name} = {_shown(link.value)}"
    if not link.ok and link.kind == "setting":
        text += f" (would have to be {_shown(link.flip)})"
    return f"{text}  [{link.source}]"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def text(decision: Decision) -> str:
    """The whole answer: a sentence, the chain, and for a refusal what outsiders see and what to change."""
    lines = [sentence(decision), ""]
    lines += [f"  {line(link)}" for link in decision.chain]
    if decision.reason is not None:
        reason = REASONS[decision.reason]
        shown = f"SIP {reason.sip}, HTTP {reason.http}, XMPP {reason.xmpp}"
        if reason.diagnostics_public:
            shown += f", ms-diagnostics-public {reason.diagnostics_public}"
        lines += ["", f"To change it: {reason.change}", f"Shown outside: {shown}"]
    return "\n".join(lines)


def document(decision: Decision) -> dict[str, Any]:
    """The answer for machines: `allowed`, `reason`, `sentence`, `shown`, `change`, `request`, `chain`."""
    reason = REASONS[decision.reason] if decision.reason else None
    request = {key: value for key, value in asdict(decision.request).items() if value is not None}
    request.pop("on", None)
    return {
        "allowed": decision.allowed,
        "reason": decision.reason,
        "sentence": sentence(decision),
        "shown": None
        if reason is None
        else {
            "text": reason.text,
            "sip": reason.sip,
            "http": reason.http,
            "xmpp": reason.xmpp,
            "ms_diagnostics_public": reason.diagnostics_public,
        },
        "change": reason.change if reason else None,
        "request": request,
        "chain": [_link(link) for link in decision.chain],
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "kind": link.kind,
        "path": list(link.path),
        "value": link.value,
        "ok": link.ok,
        "source": link.source,
        "reason": link.reason,
    }


def explain(
    deployment: Deployment, words: list[str], origin: str = "outside", srv: str | None = None
) -> Decision:
    """Ask in words and decide.

    Raises:
        QuestionError: the question cannot be understood.
    """
    request = ask(deployment, words, origin, srv)
    try:
        return decide(deployment, request)
    except ValueError as error:
        raise QuestionError(str(error)) from error

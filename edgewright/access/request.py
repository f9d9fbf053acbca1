"""What is asked: who, what, of whom, in which meeting, and the facts that only the moment knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from datetime import date

    from edgewright.model.topology import Family

Party = Literal["internal", "remote", "mobile", "federated", "xmpp", "public", "anonymous"]
"""Who asks: T1-T6 of the reference, and internal."""

PARTIES: tuple[Party, ...] = get_args(Party)
OURS: tuple[Party, ...] = ("internal", "remote", "mobile")
"""Parties with an account in our directory."""

Client = Literal[
    "desktop", "windows_store", "web_app", "windows_phone", "iphone", "ipad", "android", "iphone_2010"
]
"""The program used; `iphone_2010` is Lync 2010 Mobile on Apple devices, which needs push (M27)."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting and the asker's place in it.

    `organiser` is a SIP address of ours. `promoted`: somebody made the asker a presenter; `admitted`: a
    presenter let the asker in from the lobby. `participants` counts those already there. `sharer` is who
    shares when control is asked for (None: the organiser). `joined`: the asker is there already; `invited`:
    the meeting is for everybody, or somebody has invited the asker.
    """

    organiser: str
    kind: Literal["scheduled", "meet_now"] = "scheduled"
    known: bool = True
    key_valid: bool = True
    promoted: bool = False
    admitted: bool = False
    participants: int = 1
    sharer: str | None = None
    joined: bool = True
    invited: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """One question.

    `who` asks (a SIP address; None for anonymous), `to` is the other person where there is one. For
    federated, XMPP and public IM the asker is foreign and `to`, or the meeting's organiser, is ours. An
    asker of ours may name a foreign `to`: then the domain's class decides what follows.

    The rest are facts of the moment with the values that let things pass; a refusal for one of them names
    it. `family`: the only IP family the asker has. `srv_target`: host that the foreign domain's federation
    SRV names. `peer_found`: DNS says where its Access Edge is, `peer_answers`: that one answers.
    `within_rate`, `within_contacts`: a discovered partner keeps to the limits of 8.2. `mark`: the
    source-verification mark of a message from outside. `contact`: the sender is
    among the recipient's contacts. `on`: the day, for providers that ended (X04); None: not looked at.
    `content_type` and `size` (bytes) are the message's; what is wrapped counts by its own type.
    """

    party: Party
    feature: str
    who: str | None = None
    to: str | None = None
    meeting: Meeting | None = None
    client: Client | None = None
    family: Family | None = None
    password_proven: bool = True
    registered: bool = True
    callee_available: bool = True
    srv_target: str | None = None
    peer_found: bool = True
    peer_trusted: bool = True
    peer_answers: bool = True
    within_rate: bool = True
    within_contacts: bool = True
    peer_agrees: bool = True
    mark: Literal["verifiable", "unverifiable", "none"] = "verifiable"
    contact: bool = True
    recipient_accepts: bool = True
    licensed: bool = True
    wifi: bool = True
    on: date | None = None
    content_type: str = "text/plain"
    size: int = 0


def domain(address: str) -> str:
    """The part of a SIP address behind the @."""
    return address.rpartition("@")[2]

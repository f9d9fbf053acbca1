"""The support matrix: which kind of user can have which feature at all (reference 1.2 with the notes of 1.3).

`Y` supported, `N` never, `C` under conditions that `decide` works out, `-` the question makes no sense. The
column internal is ours: the reference speaks of external users only. Rows with a suffix split a row whose
parts depend on different settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edgewright.access.request import Party

Support = Literal["Y", "N", "C", "-"]
Shape = Literal["self", "person", "meeting"]
"""Whether a feature concerns the asker alone, another person, or a meeting."""

SIGN_IN = "sign-in"

_COLUMNS: tuple[Party, ...] = ("internal", "remote", "mobile", "federated", "xmpp", "public", "anonymous")


@dataclass(frozen=True, slots=True)
class Feature:
    """One row. `id` is the row of the reference, `word` what people type, `name` completes "may ..."."""

    id: str
    word: str
    name: str
    shape: Shape
    support: dict[Party, Support]
    elsewhere: bool = False
    """The feature belongs to another product (telephony, voicemail): not part of any deployment of ours."""
    exceptions: tuple[str, ...] = field(default=())

    @property
    def row(self) -> str:
        """The row of the reference: `M14-video` is part of M14."""
        return self.id.partition("-")[0] if self.id.startswith("M") else self.id


def _row(
    id_: str, word: str, name: str, shape: Shape, support: str, *exceptions: str, elsewhere: bool = False
) -> Feature:
    columns: dict[Party, Support] = dict(zip(_COLUMNS, support.split(), strict=True))  # type: ignore[arg-type]
    return Feature(id_, word, name, shape, columns, elsewhere, exceptions)


_ALL = (
    #                                                          int rem mob fed xmp pub ano
    _row(SIGN_IN, SIGN_IN, "sign in", "self", "                 Y   Y   Y   -   -   -   -"),
    _row("M01", "presence", "see and publish presence", "person", "Y Y Y Y Y Y N"),
    _row("M02", "im", "exchange instant messages", "person", "Y Y Y Y Y Y N"),
    _row(
        "M03", "group-im", "exchange instant messages in a meeting", "meeting", "Y Y Y Y N N Y", "X01", "X06"
    ),
    _row("M04", "escalate", "turn a conversation into a meeting", "meeting", "Y Y C Y N N N", "X01", "X06"),
    _row("M05", "join", "attend a meeting", "meeting", "Y Y Y Y N N Y", "X01", "X06"),
    _row("M06", "view-sharing", "see a shared desktop or program", "meeting", "Y Y C Y N N Y", "X01", "X06"),
    _row("M07", "share", "share a desktop or program", "meeting", "Y Y N Y N N C", "X01", "X06"),
    _row("M08", "take-control", "take control of what is shared", "meeting", "Y Y N C N N C", "X01", "X06"),
    _row("M09", "present", "be a presenter", "meeting", "Y Y N C N N C", "X01", "X06"),
    _row("M10", "organise", "organise a meeting", "meeting", "Y Y Y C N N N", "X01", "X06"),
    _row("M11", "view-slides", "see slides", "meeting", "Y Y C Y N N Y", "X01", "X06"),
    _row("M12", "present-slides", "present slides", "meeting", "Y Y N Y N N C", "X01", "X06"),
    _row("M12-whiteboard", "whiteboard", "use the whiteboard", "meeting", "Y Y N Y N N C", "X01", "X06"),
    _row("M12-polls", "polls", "run polls", "meeting", "Y Y N Y N N C", "X01", "X06"),
    _row("M12-files", "upload", "upload files to a meeting", "meeting", "Y Y N Y N N C", "X01", "X06"),
    _row("M13", "download", "download a meeting's content", "meeting", "Y Y N Y N N Y", "X01", "X06"),
    _row("M14", "call", "call", "person", "Y Y Y Y N C N", "X02", "X03", "X06"),
    _row(
        "M14-video",
        "video-call",
        "call with video",
        "person",
        "Y Y Y Y N C N",
        "X02",
        "X03",
        "X06",
    ),
    _row("M15", "external-call", "call people of other organisations", "person", "Y Y N - - - -"),
    _row("M16", "conference-audio", "hear and speak in a meeting", "meeting", "Y Y Y Y N N Y", "X01", "X06"),
    _row(
        "M16-video",
        "conference-video",
        "see and show video in a meeting",
        "meeting",
        "Y Y Y Y N N Y",
        "X01",
        "X06",
    ),
    _row("M17", "send-file", "send files", "person", "Y Y N C N N N", "X01", "X06"),
    _row(
        "M18", "share-with-partner", "share a desktop with a partner", "person", "- - - C N N -", "X01", "X06"
    ),
    _row("M19", "address-book", "use the address book", "self", "Y Y Y N N N N"),
    _row("M20", "expand-group", "expand distribution lists", "self", "Y Y Y N N N N"),
    _row("M21", "dial-in-page", "open the page with the dial-in numbers", "self", "Y Y Y Y - - Y"),
    _row("M22", "dial-in", "dial in by telephone", "self", "Y Y N Y - - Y", elsewhere=True),
    _row("M23", "dial-out", "be called by the server", "self", "Y Y Y C N N N", elsewhere=True),
    _row("M24", "voicemail", "use voicemail", "self", "Y Y Y N N N N", elsewhere=True),
    _row("M25", "call-via-work", "call via work", "self", "- - Y - - - -", "X09", elsewhere=True),
    _row(
        "M26",
        "telephony",
        "make emergency, team and delegated calls",
        "self",
        "Y Y N - - - -",
        elsewhere=True,
    ),
    _row("M27", "push", "get push notifications", "self", "N N C - - - -"),
    _row("M28", "lobby", "wait in the lobby", "meeting", "Y Y Y Y - - Y"),
    _row("M29", "join-without-account", "join a meeting without an account", "meeting", "- Y C - - - Y"),
    _row("M30", "record", "record a meeting", "meeting", "Y Y N C N N C", "X01", "X06"),
    _row("M31", "im-external", "begin a conversation with somebody outside", "person", "Y Y Y - - - -"),
    _row("M32", "edit-contacts", "edit contacts and privacy", "self", "Y Y N - - - -"),
    _row("M33", "updates", "get client and device updates", "self", "Y Y - N - - N"),
    _row("M34", "certificate", "get a certificate for signing in", "self", "Y Y Y N - - N"),
)

FEATURES: dict[str, Feature] = {feature.id: feature for feature in _ALL}
"""Every feature by id."""

WORDS: dict[str, Feature] = {
    word: feature for feature in _ALL for word in (feature.id, feature.id.lower(), feature.word)
}
"""Every feature by what people type: `M02`, `m02`, `im`."""

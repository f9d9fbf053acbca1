"""Meetings: who may join, wait, present, share, control, record (9c, 8.4, 8.5, J08, X12)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgewright.access import partners, people
from edgewright.access.request import OURS, Meeting
from edgewright.model import resolve

if TYPE_CHECKING:
    from edgewright.access.decision import Trail
    from edgewright.access.request import Request
    from edgewright.model.deployment import Deployment

ORGANISER: dict[str, tuple[tuple[str, str], ...]] = {
    "M06": (("allow_user_to_schedule_meetings_with_app_sharing", "meeting-sharing-off"),),
    "M07": (("allow_user_to_schedule_meetings_with_app_sharing", "meeting-sharing-off"),),
    "M08": (
        ("allow_user_to_schedule_meetings_with_app_sharing", "meeting-sharing-off"),
        ("allow_participant_control", "participant-control-off"),
    ),
    "M12-whiteboard": (("allow_annotations", "annotations-off"),),
    "M12-polls": (("allow_polls", "polls-off"),),
    "M12-files": (("enable_file_transfer", "meeting-files-off"),),
    "M16": (("allow_ip_audio", "conference-audio-off"),),
    "M16-video": (("allow_ip_video", "conference-video-off"),),
    "M30": (("allow_conference_recording", "recording-off"),),
}
"""Settings of the organiser's conferencing policy that a feature needs, for every participant (J08)."""

ORGANISER_OUTSIDERS: dict[str, tuple[tuple[str, str], ...]] = {
    "M13": (("allow_external_users_to_save_content", "save-content-off"),),
    "M30": (("allow_external_users_to_record_meeting", "external-recording-off"),),
}
"""The same, for participants who are not of the organisation."""

DATA = frozenset({"M05", "M11", "M12", "M12-whiteboard", "M12-polls", "M12-files", "M13"})
"""Features that travel by the Web Conferencing Edge."""

MEDIA = frozenset({"M06", "M07", "M08", "M16", "M16-video"})
"""Features that travel by the A/V Edge."""

PRESENTERS = frozenset({"M07", "M09", "M12", "M12-whiteboard", "M12-polls", "M12-files"})
"""Features of presenters."""


def meeting_of(request: Request) -> Meeting:
    """The meeting that is asked about; one of ours who names none asks about an own one.

    Raises:
        ValueError: a guest or partner asks without a meeting.
    """
    if request.meeting is not None:
        return request.meeting
    if request.party in OURS and request.who is not None:
        # A phone can start a meeting now, but not schedule one (M10).
        kind = "meet_now" if request.party == "mobile" and request.feature == "M10" else "scheduled"
        return Meeting(request.who, kind=kind)  # type: ignore[arg-type]
    raise ValueError(f"{request.feature} asked by {request.party} needs a meeting")


def take_part(trail: Trail, deployment: Deployment, request: Request) -> None:
    """Everything about a feature in a meeting: getting in, then what the feature needs."""
    meeting = meeting_of(request)
    organiser = meeting.organiser
    users = deployment.directory.users
    guest = request.party == "anonymous" or request.feature == "M29"
    _come(trail, deployment, request, organiser, guest=guest)
    trail.fact("meeting.known", meeting.known, meeting.known, "9c.5", "unknown-meeting")
    trail.user(organiser, "known", organiser in users, "9c.5", "unknown-meeting")
    if organiser not in users:
        return
    trail.user(organiser, "enabled", users[organiser].enabled, "9c.5", "unknown-meeting")
    if guest:
        _guest(trail, deployment, meeting)
    if request.feature == "M03":
        trail.fact("meeting.invited", meeting.invited, meeting.invited, "M03", "not-invited")
    if request.feature not in ("M28", "M10"):
        _admission(trail, deployment, request, meeting, guest=guest)
    if request.feature == "M03":
        trail.fact("meeting.joined", meeting.joined, meeting.joined, "M03", "not-joined")
    for setting, reason in ORGANISER.get(request.feature, ()):
        people.user_setting(trail, deployment, "conferencing", organiser, setting, "J08, 8.4", reason)
    if request.party not in OURS:
        for setting, reason in ORGANISER_OUTSIDERS.get(request.feature, ()):
            people.user_setting(trail, deployment, "conferencing", organiser, setting, "J08, 8.4", reason)
    if request.feature in PRESENTERS:
        _presenter(trail, deployment, request, meeting)
    _own_settings(trail, deployment, request, meeting)
    if request.party != "internal":
        _deployed(trail, deployment, request, organiser)


def _come(trail: Trail, deployment: Deployment, request: Request, organiser: str, *, guest: bool) -> None:
    if guest:
        people.edge(trail, deployment, request)
        if request.client == "web_app" or request.party == "mobile":
            people.published(trail, deployment, request, organiser)
        people.outside_users(trail, deployment)
        value = deployment.policies.access_edge.allow_anonymous_users
        trail.setting(("access_edge", "allow_anonymous_users"), value, "J03, 8.2", "anonymous-users-off")
    elif request.party in OURS:
        people.enter(trail, deployment, request)
        people.registered(trail, request)
    else:
        people.edge(trail, deployment, request)
        foreign = partners.foreign_of(deployment, request)
        if foreign is not None:
            partners.cross(trail, deployment, request, organiser, foreign, inbound=True, person=False)


def _guest(trail: Trail, deployment: Deployment, meeting: Meeting) -> None:
    trail.fact("meeting.key_valid", meeting.key_valid, meeting.key_valid, "9c.5", "unknown-meeting")
    people.user_setting(
        trail,
        deployment,
        "conferencing",
        meeting.organiser,
        "allow_anonymous_participants_in_meetings",
        "J08, 8.1, 8.4",
        "anonymous-participants-off",
    )


def _admission(
    trail: Trail, deployment: Deployment, request: Request, meeting: Meeting, *, guest: bool
) -> None:
    """The lobby, and whether there is a seat."""
    if guest and meeting.kind == "meet_now":
        trail.note("X12", "meeting settings do not apply to Meet Now: nobody waits in the lobby")
    elif guest:
        _configured(
            trail,
            deployment,
            meeting,
            "admit_anonymous_users_by_default",
            True,
            "in-lobby",
            passing=meeting.admitted,
        )
        if not _configuration(deployment, meeting, "admit_anonymous_users_by_default")[1]:
            trail.fact("meeting.admitted", meeting.admitted, meeting.admitted, "9c.6", "in-lobby")
    if request.who == meeting.organiser and not guest:
        return
    policy, origin = resolve.effective(deployment, "conferencing", meeting.organiser)
    size = policy.max_meeting_size
    path = people.policy_path("conferencing", origin, "max_meeting_size")
    trail.setting(
        path,
        size,
        "8.4",
        "meeting-full",
        wanted=250,
        closed=2 if meeting.participants > 1 else None,
        ok=meeting.participants < size,
    )
    if meeting.participants >= size:
        trail.fact("meeting.participants", meeting.participants, False, "8.4", "meeting-full", flip=1)


def _configuration(deployment: Deployment, meeting: Meeting, setting: str) -> tuple[tuple[str, ...], object]:
    home = deployment.home(meeting.organiser) or ""
    configuration, origin = resolve.configuration(deployment, "meeting", home)
    return ("meeting", *origin.split(":", 1), setting), getattr(configuration, setting)


def _configured(
    trail: Trail,
    deployment: Deployment,
    meeting: Meeting,
    setting: str,
    wanted: object,
    reason: str,
    *,
    passing: bool,
) -> None:
    path, value = _configuration(deployment, meeting, setting)
    trail.setting(path, value, "J02, 8.5", reason, wanted=wanted, ok=passing or value == wanted)


def _presenter(trail: Trail, deployment: Deployment, request: Request, meeting: Meeting) -> None:
    """Presenters: the organiser, whoever is promoted, and whom the meeting's configuration designates."""
    if request.who is not None and request.who == meeting.organiser:
        return
    ours = request.party in OURS
    if meeting.kind == "meet_now":
        # X12: the configuration does not count; what Lync ships (Company) does.
        trail.note("X12", "meeting settings do not apply to Meet Now")
        ok = ours or meeting.promoted
    else:
        path, value = _configuration(deployment, meeting, "designate_as_presenter")
        designated = value == "everyone" or (ours and value == "company")
        ok = designated or meeting.promoted
        wanted, less = ("company", "none") if ours else ("everyone", "company")
        closed = None if meeting.promoted else less
        trail.setting(path, value, "J02, 8.5", "not-presenter", wanted=wanted, closed=closed, ok=ok)
    if meeting.promoted or not ok:
        trail.fact("meeting.promoted", meeting.promoted, meeting.promoted, "M09", "not-presenter")


def _own_settings(trail: Trail, deployment: Deployment, request: Request, meeting: Meeting) -> None:
    """Settings of each user's own policy (J08): the one who shares."""
    if request.feature == "M07" and request.party in OURS and request.who is not None:
        sharing(trail, deployment, request.who)
    if request.feature == "M08" and request.party not in OURS:
        sharer = meeting.sharer or meeting.organiser
        external_control(trail, deployment, sharer)
    if request.party == "mobile":
        mobile_media(trail, deployment, request)


def sharing(trail: Trail, deployment: Deployment, address: str) -> None:
    """Whether one of ours may share a desktop or a program (8.4, each user)."""
    if address not in deployment.directory.users:
        return
    policy, origin = resolve.effective(deployment, "conferencing", address)
    value = policy.enable_app_desktop_sharing
    path = people.policy_path("conferencing", origin, "enable_app_desktop_sharing")
    trail.setting(path, value, "J08, 8.4", "sharing-off", wanted="desktop", closed="none", ok=value != "none")


def external_control(trail: Trail, deployment: Deployment, sharer: str) -> None:
    """Whether one of ours lets outsiders take control; a foreign sharer decides for themselves."""
    setting = "allow_external_user_control"
    people.user_setting(
        trail, deployment, "conferencing", sharer, setting, "J08, 8.4", "external-control-off"
    )


def mobile_media(trail: Trail, deployment: Deployment, request: Request) -> None:
    """Audio and video on a phone (8.6)."""
    if (
        request.feature not in ("M14", "M14-video", "M16", "M16-video")
        or request.who not in deployment.directory.users
    ):
        return
    assert request.who is not None
    policy, origin = resolve.effective(deployment, "mobility", request.who)
    path = people.policy_path("mobility", origin, "enable_ip_audio_video")
    trail.setting(path, policy.enable_ip_audio_video, "8.6", "mobile-media-off")
    kind = "video" if request.feature.endswith("-video") else "audio"
    setting = f"require_wifi_for_ip_{kind}"
    value = getattr(policy, setting)
    path = people.policy_path("mobility", origin, setting)
    trail.setting(path, value, "8.6", "wifi-required", wanted=False, ok=not value or request.wifi)
    if value:
        trail.fact("wifi", request.wifi, request.wifi, "8.6", "wifi-required")


def _deployed(trail: Trail, deployment: Deployment, request: Request, organiser: str) -> None:
    """The Edge services and publications that the feature travels through."""
    edges = [pool for site in deployment.topology.sites.values() for pool in site.edge]
    if request.feature in DATA:
        names = [pool.web_conferencing.fqdn for pool in edges if pool.web_conferencing]
        trail.topology("edge.web_conferencing", names, bool(names), "9c.7", "web-conferencing-not-deployed")
    if request.feature in MEDIA:
        media(trail, deployment, organiser)
    if request.feature == "M13" and request.party != "mobile":
        people.published(trail, deployment, replace(request, family=None), organiser)


def media(trail: Trail, deployment: Deployment, address: str) -> None:
    """The home pool of one of ours has an A/V Edge (G05)."""
    if address not in deployment.directory.users:
        return
    home = deployment.home(address)
    named = {pool.pool: pool.media for pool in deployment.front_ends()}.get(home or "")
    edges = [pool for site in deployment.topology.sites.values() for pool in site.edge]
    found = [pool.av.fqdn for pool in edges if pool.av is not None and pool.pool == named]
    trail.topology("edge.av", found, bool(found), "9f, G05", "media-not-deployed")
    trail.note("X13", "a VPN harms media: let it go to the A/V Edge beside the VPN")

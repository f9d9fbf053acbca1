"""The catalogue of reasons: why something is refused, what outsiders are told, how an operator changes it.

`text` is what may leave the house; nothing in it tells an outsider about a user before the password is
proven, so unknown, disabled and wrong password share one text and one status. `detail` and `change` are for
operators. `diagnostics` is the id of the `ms-diagnostics` header, which stays inside; `diagnostics_public`
is the id of `ms-diagnostics-public`, the only one shown outward (4003, 4004).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. `sip` and `http` are status codes, `xmpp` an error condition (RFC 6120 section 8.3.3).

    `sign_in`: the answer is given before the password is proven, so it may not differ from its siblings.
    """

    id: str
    text: str
    detail: str
    change: str
    sip: int = 403
    http: int = 403
    xmpp: str = "forbidden"
    diagnostics: int | None = None
    diagnostics_public: int | None = None


_REFUSED = "Signing in failed."
_NOT_ALLOWED = "This is not allowed."

_ALL = (
    # Who is asking
    Reason(
        "wrong-password",
        _REFUSED,
        "The password was wrong.",
        "Set it with `edgewright user password`.",
        sip=401,
        http=401,
        xmpp="not-authorized",
    ),
    Reason(
        "unknown-user",
        _REFUSED,
        "Nobody has this address.",
        "Add the user to the directory.",
        sip=401,
        http=401,
        xmpp="not-authorized",
        diagnostics=4005,
    ),
    Reason(
        "account-disabled",
        _REFUSED,
        "The account is disabled.",
        "Set the user's `enabled` to true.",
        sip=401,
        http=401,
        xmpp="not-authorized",
        diagnostics=4005,
    ),
    Reason(
        "outside-users-off",
        "Access from outside is not available.",
        "The organisation admits nobody from outside.",
        "Set `access_edge.allow_outside_users` to true.",
        diagnostics=1012,
    ),
    Reason(
        "outside-access-off",
        "You are not allowed to sign in from outside.",
        "The user's external access policy does not allow access from outside.",
        "Set `enable_outside_access` to true in the user's effective external access policy.",
        diagnostics=1012,
        diagnostics_public=4003,
    ),
    Reason(
        "not-registered", "Sign in first.", "The sender has not signed in on this connection.", "Sign in."
    ),
    Reason(
        "identity-mismatch",
        "The sender's address is not yours.",
        "The From address is not the one that signed in on this connection.",
        "Nothing: this is an attempt to forge.",
    ),
    # Attempts to get around the rules
    Reason(
        "forged-inside-header",
        _NOT_ALLOWED,
        "A request from outside carried the inside header.",
        "Nothing: this is an attempt to forge.",
    ),
    Reason(
        "forged-dialog",
        "There is no such dialog.",
        "An in-dialog request did not carry the mark that our proxies set.",
        "Nothing: this is an attempt to forge.",
        sip=481,
        http=404,
        xmpp="item-not-found",
    ),
    Reason(
        "relay-refused",
        _NOT_ALLOWED,
        "The request was for somebody else's domain and came from nobody of ours.",
        "Nothing: an open relay serves spammers.",
    ),
    Reason(
        "untrusted-peer",
        _NOT_ALLOWED,
        "The peer's certificate, name or kind of endpoint is not trusted (X07).",
        "Have the partner present a certificate of a trusted CA that names its Access Edge.",
        diagnostics=1010,
    ),
    Reason(
        "malformed",
        "The request could not be understood.",
        "The request breaks its protocol.",
        "Look at the sender.",
        sip=400,
        http=400,
        xmpp="bad-request",
    ),
    Reason(
        "method-not-allowed",
        "This method is not served here.",
        "The method is not on the list for this place.",
        "Nothing.",
        sip=405,
        http=405,
        xmpp="feature-not-implemented",
    ),
    Reason(
        "port-closed",
        "",
        "No active flow leads to this port.",
        "Nothing, or deploy the service that listens there.",
    ),
    # Reaching the other side
    Reason(
        "callee-unavailable",
        "The person cannot be reached.",
        "The callee is unknown, disabled or not signed in.",
        "Wait until the callee signs in.",
        sip=480,
        http=404,
        xmpp="recipient-unavailable",
    ),
    Reason(
        "next-hop-down",
        "The service is not available.",
        "The next hop does not answer (G06: there is only one).",
        "Start it again.",
        sip=503,
        http=503,
        xmpp="service-unavailable",
    ),
    Reason(
        "edge-not-deployed",
        "",
        "The topology has no Edge for this user's site.",
        "Add an Edge pool.",
        sip=503,
        http=503,
        xmpp="service-unavailable",
    ),
    Reason(
        "media-not-deployed",
        "",
        "The topology has no A/V Edge for this user's pool.",
        "Give the Edge pool an `av` listener and name it as the Front End pool's `media`.",
        sip=488,
        http=503,
        xmpp="feature-not-implemented",
    ),
    Reason(
        "web-conferencing-not-deployed",
        "",
        "The topology has no Web Conferencing Edge.",
        "Give the Edge pool a `web_conferencing` listener.",
        sip=488,
        http=503,
        xmpp="feature-not-implemented",
    ),
    Reason(
        "no-common-family",
        "",
        "The listener has no address of the asker's IP family.",
        "Give the outside network that family (S14), or ask over the other.",
        sip=503,
        http=503,
        xmpp="remote-server-not-found",
    ),
    # Federation
    Reason(
        "federation-not-deployed",
        "This organisation does not federate.",
        "The topology has no federation route.",
        "Set `routes.federation` to an Edge pool.",
        diagnostics=1002,
        diagnostics_public=4004,
    ),
    Reason(
        "xmpp-not-deployed",
        "This organisation does not federate over XMPP.",
        "The topology has no XMPP route.",
        "Set `routes.xmpp` to an Edge pool.",
        diagnostics=1002,
        diagnostics_public=4004,
        xmpp="remote-server-not-found",
    ),
    Reason(
        "federated-users-off",
        "This organisation does not federate.",
        "The organisation admits no federated users, XMPP partners or public providers.",
        "Set `access_edge.allow_federated_users` to true.",
        diagnostics=1002,
        diagnostics_public=4004,
    ),
    Reason(
        "federation-access-off",
        "You are not allowed to talk to this partner.",
        "The user's external access policy does not allow federation.",
        "Set `enable_federation_access` to true in the user's effective external access policy.",
        diagnostics=1002,
        diagnostics_public=4004,
    ),
    Reason(
        "xmpp-access-off",
        "You are not allowed to talk to this partner.",
        "The user's external access policy does not allow XMPP partners.",
        "Set `enable_xmpp_access` to true in the user's effective external access policy.",
        diagnostics=1002,
        diagnostics_public=4004,
    ),
    Reason(
        "public-access-off",
        "You are not allowed to talk to this provider.",
        "The user's external access policy does not allow public providers.",
        "Set `enable_public_cloud_access` to true in the user's effective external access policy.",
        diagnostics=1001,
        diagnostics_public=4004,
    ),
    Reason(
        "public-media-off",
        "You are not allowed to call people at this provider.",
        "The user's external access policy does not allow audio and video with public providers.",
        "Set `enable_public_cloud_audio_video_access` to true in the user's external access policy.",
        diagnostics=1001,
        diagnostics_public=4004,
    ),
    Reason(
        "domain-blocked",
        "This domain is not allowed.",
        "The domain is blocked (J06).",
        "Take it out of `blocked_domains`.",
        diagnostics=1009,
        diagnostics_public=4004,
        xmpp="policy-violation",
    ),
    Reason(
        "domain-not-federated",
        "This domain is not allowed.",
        "The domain is neither a listed partner nor an enabled provider's, and partners are not discovered.",
        "Add it to `allowed_domains` or `xmpp_partners`, or set `access_edge.enable_partner_discovery`.",
        diagnostics=1009,
        diagnostics_public=4004,
        xmpp="policy-violation",
    ),
    Reason(
        "provider-off",
        "This provider is not allowed.",
        "The provider is not enabled.",
        "Set the provider's `enabled` to true.",
        diagnostics=1001,
        diagnostics_public=4004,
    ),
    Reason(
        "provider-not-provisioned",
        "This provider is not available.",
        "The provider has not provisioned the organisation, or the user lacks its licence (X05).",
        "Order it from the provider, then set the provider's `provisioned` to true.",
        diagnostics=1001,
        diagnostics_public=4004,
    ),
    Reason(
        "provider-ended",
        "This provider is no longer available.",
        "The provider no longer federates (X04).",
        "Nothing.",
        diagnostics=1001,
        diagnostics_public=4004,
        sip=404,
        http=404,
        xmpp="remote-server-not-found",
    ),
    Reason(
        "source-unverified",
        "The sender could not be verified.",
        "Messages of this source must be marked as verified, and this one is not marked.",
        "Have the source mark its messages, or change the `verification_level`.",
    ),
    Reason(
        "not-a-contact",
        "The recipient takes messages from contacts only.",
        "The source is not trusted to verify its users, and the sender is no contact of the recipient.",
        "Have the recipient add the sender, or change the verification level or partner type.",
    ),
    Reason(
        "partner-too-old",
        "The partner does not support this.",
        "The partner's product does not support this (M17, M18).",
        "Correct the partner's `product` if it is newer.",
        sip=488,
        http=404,
        xmpp="feature-not-implemented",
    ),
    Reason(
        "provider-cannot",
        "This provider does not support this.",
        "The provider's `capabilities` do not include this.",
        "Add it to the provider's `capabilities` if the provider offers it.",
        sip=488,
        http=404,
        xmpp="feature-not-implemented",
    ),
    Reason(
        "peer-refused",
        "The other organisation refused.",
        "The other organisation does not admit ours: both must agree (J07).",
        "Ask the other organisation.",
    ),
    Reason(
        "recipient-refused",
        "The person cannot be reached.",
        "The recipient blocks the sender (J09).",
        "The recipient decides.",
        sip=480,
        http=404,
        xmpp="recipient-unavailable",
    ),
    # Web
    Reason(
        "web-host-unpublished",
        "Not found.",
        "No publication has this host name.",
        "Publish it.",
        sip=404,
        http=404,
        xmpp="item-not-found",
    ),
    Reason(
        "web-path-unpublished",
        "Not found.",
        "The publication does not have this path.",
        "Publish it.",
        sip=404,
        http=404,
        xmpp="item-not-found",
    ),
    Reason(
        "web-backend-untrusted",
        "The service is not available.",
        "The backend's certificate is not trusted.",
        "Renew the backend's certificate.",
        sip=502,
        http=502,
        xmpp="service-unavailable",
    ),
    Reason(
        "web-internal-only",
        "Not found.",
        "The page is for the inside only.",
        "Nothing.",
        sip=404,
        http=404,
        xmpp="item-not-found",
    ),
    Reason(
        "rate-limited",
        "Too many requests; try again later.",
        "The client's network asked more often than the reverse proxy lets one network ask.",
        "Nothing; for a large network behind one address, raise the proxy's limit.",
        sip=503,
        http=429,
        xmpp="resource-constraint",
    ),
    Reason(
        "web-not-published",
        "",
        "No reverse proxy publishes the web services of the user's pool.",
        "Add a reverse proxy and give the pool an `external_web` name.",
        sip=503,
        http=503,
        xmpp="service-unavailable",
    ),
    # Mobile
    Reason(
        "mobility-off",
        "You are not allowed to use a mobile client.",
        "The user's mobility policy does not allow mobile clients.",
        "Set `enable_mobility` to true in the user's effective mobility policy.",
    ),
    Reason(
        "mobility-inside-only",
        "Not found.",
        "The mobility service is for the inside only.",
        "Set `exposed_web_url` to external in the effective mobility service configuration.",
        http=404,
    ),
    Reason(
        "mobile-media-off",
        "You are not allowed to call from a mobile client.",
        "The user's mobility policy does not allow audio and video over IP.",
        "Set `enable_ip_audio_video` to true in the user's effective mobility policy.",
        sip=488,
    ),
    Reason(
        "wifi-required",
        "This needs a wireless network.",
        "The user's mobility policy allows this over WiFi only.",
        "Use WiFi, or set `require_wifi_for_ip_audio` or `require_wifi_for_ip_video` to false.",
        sip=488,
    ),
    Reason(
        "push-off",
        "Push notification is off.",
        "Push notification for this kind of device is off.",
        "Set the switch for it in the effective push notification configuration.",
    ),
    # Meetings
    Reason(
        "anonymous-users-off",
        "Guests without an account are not admitted.",
        "The organisation admits no anonymous users.",
        "Set `access_edge.allow_anonymous_users` to true.",
    ),
    Reason(
        "anonymous-participants-off",
        "Guests without an account may not join this meeting.",
        "The organiser's conferencing policy does not admit anonymous participants.",
        "Set `allow_anonymous_participants_in_meetings` to true in the organiser's conferencing policy.",
    ),
    Reason(
        "unknown-meeting",
        "There is no such meeting.",
        "The meeting or its conference key is unknown.",
        "Use the invitation's link.",
        sip=404,
        http=404,
        xmpp="item-not-found",
    ),
    Reason(
        "in-lobby",
        "Wait until somebody admits you.",
        "The meeting admits guests from the lobby only.",
        "A presenter admits the guest, or `admit_anonymous_users_by_default` is set to true.",
        sip=182,
        http=202,
    ),
    Reason(
        "meeting-full",
        "The meeting is full.",
        "The meeting has as many participants as the organiser may have.",
        "Raise `max_meeting_size` in the organiser's conferencing policy.",
        sip=486,
        http=503,
    ),
    Reason(
        "not-presenter",
        "Only presenters may do this.",
        "The participant is not a presenter of this meeting.",
        "A presenter promotes the participant, or `designate_as_presenter` is widened.",
    ),
    Reason(
        "conference-audio-off",
        "This meeting has no audio.",
        "The organiser's policy does not allow audio.",
        "Set `allow_ip_audio` to true in the organiser's conferencing policy.",
        sip=488,
    ),
    Reason(
        "conference-video-off",
        "This meeting has no video.",
        "The organiser's policy does not allow video.",
        "Set `allow_ip_video` to true in the organiser's conferencing policy.",
        sip=488,
    ),
    Reason(
        "sharing-off",
        "You are not allowed to share your screen.",
        "The user's conferencing policy does not allow sharing of desktops and programs.",
        "Set `enable_app_desktop_sharing` in the user's effective conferencing policy.",
    ),
    Reason(
        "meeting-sharing-off",
        "This meeting has no screen sharing.",
        "The organiser's policy does not allow sharing in meetings.",
        "Set `allow_user_to_schedule_meetings_with_app_sharing` to true in the organiser's policy.",
    ),
    Reason(
        "external-control-off",
        "People from outside may not take control.",
        "The sharing user's policy does not let people from outside take control.",
        "Set `allow_external_user_control` to true in the sharing user's conferencing policy.",
    ),
    Reason(
        "participant-control-off",
        "Participants may not take control.",
        "The organiser's policy does not let participants take control.",
        "Set `allow_participant_control` to true in the organiser's conferencing policy.",
    ),
    Reason(
        "save-content-off",
        "People from outside may not save the meeting's content.",
        "The organiser's policy does not let people from outside save content.",
        "Set `allow_external_users_to_save_content` to true in the organiser's conferencing policy.",
    ),
    Reason(
        "recording-off",
        "This meeting may not be recorded.",
        "The organiser's policy does not allow recording.",
        "Set `allow_conference_recording` to true in the organiser's conferencing policy.",
    ),
    Reason(
        "external-recording-off",
        "People from outside may not record this meeting.",
        "The organiser's policy does not let people from outside record.",
        "Set `allow_external_users_to_record_meeting` to true in the organiser's conferencing policy.",
    ),
    Reason(
        "p2p-video-off",
        "You are not allowed to make video calls.",
        "The user's policy does not allow video between two people.",
        "Set `enable_p2p_video` to true in the user's effective conferencing policy.",
        sip=488,
    ),
    Reason(
        "file-transfer-off",
        "You are not allowed to send files.",
        "The user's policy does not allow files between two people.",
        "Set `enable_p2p_file_transfer` to true in the user's effective conferencing policy.",
    ),
    Reason(
        "meeting-files-off",
        "This meeting takes no files.",
        "The organiser's policy does not allow files.",
        "Set `enable_file_transfer` to true in the organiser's conferencing policy.",
    ),
    Reason(
        "annotations-off",
        "This meeting has no whiteboard.",
        "The organiser's policy does not allow annotations.",
        "Set `allow_annotations` to true in the organiser's conferencing policy.",
    ),
    Reason(
        "polls-off",
        "This meeting has no polls.",
        "The organiser's policy does not allow polls.",
        "Set `allow_polls` to true in the organiser's conferencing policy.",
    ),
    Reason(
        "dial-in-off",
        "This meeting has no dial-in page.",
        "The organiser's policy does not allow dial-in conferences.",
        "Set `enable_dial_in_conferencing` to true, and `simple_urls.dialin`.",
    ),
    # What no setting changes
    Reason(
        "feature-not-supported",
        "This is not supported.",
        "This kind of user never has this feature.",
        "Nothing: see the row of the support matrix.",
        sip=488,
        http=404,
        xmpp="feature-not-implemented",
    ),
    Reason(
        "client-lacks-feature",
        "Your client does not support this.",
        "This client does not have this feature.",
        "Use another client.",
        sip=488,
        http=404,
        xmpp="feature-not-implemented",
    ),
    Reason(
        "not-part-of-deployment",
        "This is not available here.",
        "The feature belongs to another product (telephony, voicemail) and is not part of this deployment.",
        "Nothing.",
        sip=501,
        http=404,
        xmpp="feature-not-implemented",
    ),
)

REASONS: dict[str, Reason] = {reason.id: reason for reason in _ALL}
"""Every reason by id."""

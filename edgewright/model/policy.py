"""Policies: Lync's own objects under Lync's own names in snake_case (reference section 8, J01-J10).

Each field carries a `Setting`: the cmdlet parameter it stands for, its direction, unit, source row. Checked
here is only what one object can tell by itself; what lists must agree on is in `checks.policies`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import Field, model_validator

from edgewright.model.base import Model
from edgewright.model.setting import PolicyObject, Setting
from edgewright.model.topology import Fqdn

VerificationLevel = Literal["always_verifiable", "always_unverifiable", "use_source_verification"]
"""Accept all; deliver only from the recipient's contacts; trust the message's mark, none: reject (8.7)."""

Negotiation = Literal["required", "optional", "not_supported"]
Capability = Literal["presence", "im", "audio", "video"]
Product = Literal["ocs_2007", "ocs_2007_r2", "lync_2010", "lync_2013"]
PublicNetwork = Literal["other", "skype", "windows_live", "aol", "yahoo"]

VERIFICATION_LEVELS = (("always_unverifiable", "use_source_verification"), ("always_verifiable",))
"""From strict to open; the two stricter ones cannot be compared: one asks the recipient, one the sender."""

CAPABILITIES: dict[PublicNetwork, tuple[Capability, ...]] = {
    "other": ("presence", "im"),
    "skype": ("presence", "im", "audio"),
    "windows_live": ("presence", "im", "audio", "video"),
    "aol": ("presence", "im"),
    "yahoo": ("presence", "im"),
}
"""X03: what a public network can do; a network that no page names gets what all have in common."""

ENDS: dict[PublicNetwork, date] = {
    "aol": date(2014, 6, 30),
    "yahoo": date(2014, 6, 30),
    "windows_live": date(2013, 3, 15),
}
"""X04: the last day on which a public network federated (Messenger in mainland China: give `ends`)."""

MIME = r"^[a-z0-9][a-z0-9.+_-]{0,63}/[a-z0-9][a-z0-9.+_-]{0,95}$"
CONTENT_TYPES = (
    "text/plain",
    "text/html",
    "application/im-iscomposing+xml",
    "message/imdn+xml",
    "message/cpim",
    "application/vnd.gsma.rcs-ft-http+xml",
)
"""Text, html, typing (RFC 3994), reports (RFC 5438), their wrapper (RFC 3862), where a file lies (RCC.07)."""

UINT32 = 4294967295
Count = Annotated[int, Field(ge=0, le=UINT32)]


class AccessEdge(PolicyObject):
    """Access Edge configuration: the organisation's switches (8.2); user policies must agree (J03)."""

    noun: ClassVar[str] = "AccessEdgeConfiguration"
    fixed: ClassVar[bool] = True

    allow_anonymous_users: Annotated[bool, Setting("AllowAnonymousUsers", "opens", source="8.2")] = False
    allow_federated_users: Annotated[bool, Setting("AllowFederatedUsers", "opens", source="8.2")] = False
    allow_outside_users: Annotated[bool, Setting("AllowOutsideUsers", "opens", source="8.2, C6")] = True
    enable_partner_discovery: Annotated[bool, Setting("EnablePartnerDiscovery", "opens", source="8.2")] = (
        False
    )
    discovered_partner_verification_level: Annotated[
        VerificationLevel,
        Setting(
            "DiscoveredPartnerVerificationLevel",
            "opens",
            source="8.2",
            levels=VERIFICATION_LEVELS,
            why="no default is stated; trusting the mark of the message is what Lync's design intends",
        ),
    ] = "use_source_verification"
    discovered_partner_standard_rate: Annotated[
        Count, Setting("DiscoveredPartnerStandardRate", unit="messages/s", source="8.2")
    ] = 20
    enable_discovered_partner_contacts_limit: Annotated[
        bool, Setting("EnableDiscoveredPartnerContactsLimit", "restrains", source="8.2")
    ] = True
    max_contacts_per_discovered_partner: Annotated[
        Count, Setting("MaxContactsPerDiscoveredPartner", "opens", unit="users", source="8.2")
    ] = 1000
    discovered_partner_report_period_minutes: Annotated[
        Count, Setting("DiscoveredPartnerReportPeriodMinutes", unit="min", source="8.2")
    ] = 60
    enable_archiving_disclaimer: Annotated[bool, Setting("EnableArchivingDisclaimer", source="8.2")] = False
    routing_method: Annotated[
        Literal["use_dns_srv_routing", "use_default_routing"],
        Setting(
            "UseDnsSrvRouting",
            "opens",
            source="8.2, J10",
            levels=(("use_dns_srv_routing",), ("use_default_routing",)),
            why="two switches that exclude each other in Lync: one setting with two values here",
        ),
    ] = "use_dns_srv_routing"
    default_route_fqdn: Annotated[Fqdn | None, Setting("DefaultRouteFqdn", source="8.2")] = None
    verification_level: Annotated[
        VerificationLevel,
        Setting(
            "VerificationLevel",
            "opens",
            source="8.2",
            levels=VERIFICATION_LEVELS,
            why="no default is stated; as for discovered partners",
        ),
    ] = "use_source_verification"
    is_public_provider: Annotated[bool, Setting("IsPublicProvider", "selects", source="8.2")] = False
    be_clearing_house: Annotated[bool, Setting("BeClearingHouse", source="8.2")] = False
    keep_crls_up_to_date_for_peers: Annotated[bool, Setting("KeepCrlsUpToDateForPeers", source="8.2")] = True
    mark_source_verifiable_on_outgoing_messages: Annotated[
        bool, Setting("MarkSourceVerifiableOnOutgoingMessages", source="8.2")
    ] = True
    outgoing_tls_count_for_federated_partners: Annotated[
        int,
        Field(ge=1, le=4),
        Setting("OutgoingTlsCountForFederatedPartners", unit="connections", source="8.2"),
    ] = 4
    max_accepted_certificates_stored: Annotated[
        Count, Setting("MaxAcceptedCertificatesStored", unit="certificates", source="8.2")
    ] = 1000
    max_rejected_certificates_stored: Annotated[
        Count, Setting("MaxRejectedCertificatesStored", unit="certificates", source="8.2")
    ] = 500
    certificates_deleted_percentage: Annotated[
        int, Field(ge=0, le=100), Setting("CertificatesDeletedPercentage", unit="%", source="8.2")
    ] = 20
    enable_user_replicator: Annotated[bool, Setting("EnableUserReplicator", source="8.2, C9")] = False

    @model_validator(mode="after")
    def _one_way_of_routing(self) -> Self:
        default = self.routing_method == "use_default_routing"
        if default and self.default_route_fqdn is None:
            raise ValueError("routing_method use_default_routing needs default_route_fqdn")
        if not default and self.default_route_fqdn is not None:
            raise ValueError("default_route_fqdn needs routing_method: use_default_routing")
        if default and self.enable_partner_discovery:
            raise ValueError("enable_partner_discovery needs routing_method: use_dns_srv_routing (J10)")
        return self


class ExternalAccess(PolicyObject):
    """External access policy: what a user may do with the world outside (8.3)."""

    noun: ClassVar[str] = "ExternalAccessPolicy"

    enable_outside_access: Annotated[bool, Setting("EnableOutsideAccess", "opens", source="8.3")] = False
    enable_federation_access: Annotated[bool, Setting("EnableFederationAccess", "opens", source="8.3")] = (
        False
    )
    enable_xmpp_access: Annotated[bool, Setting("EnableXmppAccess", "opens", source="8.3")] = False
    enable_public_cloud_access: Annotated[bool, Setting("EnablePublicCloudAccess", "opens", source="8.3")] = (
        False
    )
    enable_public_cloud_audio_video_access: Annotated[
        bool, Setting("EnablePublicCloudAudioVideoAccess", "opens", source="8.3")
    ] = False
    description: Annotated[str | None, Setting("Description", source="8.3")] = None


class Conferencing(PolicyObject):
    """Conferencing policy (8.4). `source` says whose policy counts: the organiser's or each user's (J08)."""

    noun: ClassVar[str] = "ConferencingPolicy"

    allow_anonymous_participants_in_meetings: Annotated[
        bool, Setting("AllowAnonymousParticipantsInMeetings", "opens", source="8.4 organiser, C3")
    ] = True
    allow_anonymous_users_to_dial_out: Annotated[
        bool, Setting("AllowAnonymousUsersToDialOut", "opens", source="8.4 organiser")
    ] = False
    allow_non_enterprise_voice_users_to_dial_out: Annotated[
        bool, Setting("AllowNonEnterpriseVoiceUsersToDialOut", "opens", source="8.4 organiser")
    ] = False
    allow_external_user_control: Annotated[
        bool, Setting("AllowExternalUserControl", "opens", source="8.4 each user")
    ] = False
    allow_external_users_to_save_content: Annotated[
        bool, Setting("AllowExternalUsersToSaveContent", "opens", source="8.4 organiser")
    ] = True
    allow_external_users_to_record_meeting: Annotated[
        bool, Setting("AllowExternalUsersToRecordMeeting", "opens", source="8.4 organiser")
    ] = False
    allow_conference_recording: Annotated[
        bool, Setting("AllowConferenceRecording", "opens", source="8.4 organiser")
    ] = False
    allow_ip_audio: Annotated[bool, Setting("AllowIPAudio", "opens", source="8.4 organiser")] = True
    allow_ip_video: Annotated[bool, Setting("AllowIPVideo", "opens", source="8.4 organiser")] = True
    allow_participant_control: Annotated[
        bool, Setting("AllowParticipantControl", "opens", source="8.4 organiser")
    ] = True
    allow_annotations: Annotated[bool, Setting("AllowAnnotations", "opens", source="8.4 organiser")] = True
    allow_polls: Annotated[bool, Setting("AllowPolls", "opens", source="8.4 organiser")] = True
    allow_user_to_schedule_meetings_with_app_sharing: Annotated[
        bool, Setting("AllowUserToScheduleMeetingsWithAppSharing", "opens", source="8.4 organiser")
    ] = True
    enable_app_desktop_sharing: Annotated[
        Literal["desktop", "single_application", "none"],
        Setting(
            "EnableAppDesktopSharing",
            "opens",
            source="8.4 each user",
            levels=(("none",), ("single_application",), ("desktop",)),
        ),
    ] = "desktop"
    allow_shared_notes: Annotated[bool, Setting("AllowSharedNotes", source="8.4 organiser")] = True
    disable_power_point_annotations: Annotated[
        bool, Setting("DisablePowerPointAnnotations", source="8.4 organiser")
    ] = False
    enable_dial_in_conferencing: Annotated[
        bool, Setting("EnableDialInConferencing", "opens", source="8.4 organiser")
    ] = True
    enable_file_transfer: Annotated[bool, Setting("EnableFileTransfer", "opens", source="8.4 organiser")] = (
        True
    )
    enable_p2p_file_transfer: Annotated[
        bool, Setting("EnableP2PFileTransfer", "opens", source="8.4 each user")
    ] = True
    enable_p2p_video: Annotated[bool, Setting("EnableP2PVideo", "opens", source="8.4 each user")] = False
    enable_p2p_recording: Annotated[bool, Setting("EnableP2PRecording", "opens", source="8.4 each user")] = (
        False
    )
    allow_multi_view: Annotated[bool, Setting("AllowMultiView", "opens", source="8.4 organiser")] = True
    enable_multi_view_join: Annotated[
        bool, Setting("EnableMultiViewJoin", "opens", source="8.4 each user")
    ] = True
    max_meeting_size: Annotated[
        int,
        Field(ge=2, le=250),
        Setting("MaxMeetingSize", "opens", unit="participants", source="8.4 organiser"),
    ] = 250
    allow_large_meetings: Annotated[bool, Setting("AllowLargeMeetings", source="8.4 organiser")] = False
    max_video_conference_resolution: Annotated[
        Literal["vga", "cif"], Setting("MaxVideoConferenceResolution", source="8.4 organiser")
    ] = "vga"
    audio_bit_rate_kb: Annotated[
        int, Field(ge=20, le=200), Setting("AudioBitRateKb", unit="kbps", source="8.4 each user")
    ] = 200
    video_bit_rate_kb: Annotated[
        Count,
        Setting(
            "VideoBitRateKb",
            unit="kbps",
            source="8.4 each user",
            why="New says 400 and Set 50000: the shipped global policy has 50000",
        ),
    ] = 50000
    app_sharing_bit_rate_kb: Annotated[
        Count, Setting("AppSharingBitRateKb", unit="kbps", source="8.4 each user")
    ] = 50000
    file_transfer_bit_rate_kb: Annotated[
        Count, Setting("FileTransferBitRateKb", unit="kbps", source="8.4 each user")
    ] = 50000
    total_receive_video_bit_rate_kb: Annotated[
        Count, Setting("TotalReceiveVideoBitRateKb", unit="kbps", source="8.4 each user")
    ] = 50000
    max_file_size_mb: Annotated[
        int,
        Field(ge=1, le=2048),
        Setting(
            None,
            "opens",
            unit="MB",
            source="M17, 8.4 each user",
            why="files between two people pass through the web services, which must hold them",
        ),
    ] = 100
    description: Annotated[str | None, Setting("Description", source="8.4")] = None


class InstantMessaging(PolicyObject):
    """Messages between two people or in a meeting: what they may carry. An object of our own."""

    fixed: ClassVar[bool] = True

    max_message_size: Annotated[
        int,
        Field(ge=1300, le=49152),
        Setting(
            None,
            "opens",
            unit="bytes",
            source="M02, RFC 3428 8",
            why="a larger body is refused in words; the 1300 bytes of RFC 3428 are for UDP",
        ),
    ] = 32768
    content_types: Annotated[
        tuple[Annotated[str, Field(pattern=MIME)], ...],
        Setting(
            None,
            "opens",
            source="M02, RFC 3261 21.4.13",
            why="what clients of other makers cannot show, or nobody can look into, is refused",
        ),
    ] = CONTENT_TYPES


class Meeting(PolicyObject):
    """Meeting configuration for scheduled meetings (8.5); "Meet Now" ignores it (X12)."""

    noun: ClassVar[str] = "MeetingConfiguration"

    admit_anonymous_users_by_default: Annotated[
        bool, Setting("AdmitAnonymousUsersByDefault", "opens", source="8.5")
    ] = True
    pstn_callers_bypass_lobby: Annotated[bool, Setting("PstnCallersBypassLobby", "opens", source="8.5")] = (
        True
    )
    designate_as_presenter: Annotated[
        Literal["none", "company", "everyone"],
        Setting(
            "DesignateAsPresenter", "opens", source="8.5", levels=(("none",), ("company",), ("everyone",))
        ),
    ] = "company"
    assigned_conference_type_by_default: Annotated[
        bool, Setting("AssignedConferenceTypeByDefault", source="8.5")
    ] = True
    enable_assigned_conference_type: Annotated[
        bool,
        Setting(
            "EnableAssignedConferenceType",
            source="8.5",
            why="no default is stated; the other default needs it true",
        ),
    ] = True
    require_room_systems_authorization: Annotated[
        bool, Setting("RequireRoomSystemsAuthorization", source="8.5")
    ] = False
    logo_url: Annotated[str | None, Setting("LogoURL", source="8.5")] = None
    legal_url: Annotated[str | None, Setting("LegalURL", source="8.5")] = None
    help_url: Annotated[str | None, Setting("HelpURL", source="8.5")] = None
    custom_footer_text: Annotated[str | None, Setting("CustomFooterText", source="8.5")] = None


class Mobility(PolicyObject):
    """Mobility policy (8.6): whether and how a user may use a phone or tablet."""

    noun: ClassVar[str] = "MobilityPolicy"

    enable_mobility: Annotated[
        bool,
        Setting(
            "EnableMobility",
            "opens",
            source="8.6",
            why="no default is stated; everybody is mobile unless a policy says otherwise",
        ),
    ] = True
    enable_outside_voice: Annotated[bool, Setting("EnableOutsideVoice", "opens", source="8.6")] = True
    enable_ip_audio_video: Annotated[bool, Setting("EnableIPAudioVideo", "opens", source="8.6")] = True
    require_wifi_for_ip_video: Annotated[
        bool, Setting("RequireWIFIForIPVideo", "restrains", source="8.6")
    ] = False
    require_wifi_for_ip_audio: Annotated[
        bool, Setting("RequireWIFIForIPAudio", "restrains", source="8.6")
    ] = False
    description: Annotated[str | None, Setting("Description", source="8.6")] = None


class MobilityService(PolicyObject):
    """Configuration of the mobility service (Mcx) on the web services (8.6)."""

    noun: ClassVar[str] = "McxConfiguration"

    exposed_web_url: Annotated[
        Literal["internal", "external"],
        Setting("ExposedWebURL", "opens", source="8.6", levels=(("internal",), ("external",))),
    ] = "external"
    session_expiration_interval: Annotated[
        int, Field(ge=120, le=UINT32), Setting("SessionExpirationInterval", unit="s", source="8.6")
    ] = 259200
    session_short_expiration_interval: Annotated[
        int, Field(ge=120, le=UINT32), Setting("SessionShortExpirationInterval", unit="s", source="8.6")
    ] = 3600
    push_notification_proxy_uri: Annotated[
        Annotated[str, Field(pattern=r"^sip:[^@\s]+@[^@\s]+$")] | None,
        Setting("PushNotificationProxyUri", source="8.6"),
    ] = None

    @model_validator(mode="after")
    def _short_is_shorter(self) -> Self:
        if self.session_short_expiration_interval >= self.session_expiration_interval:
            raise ValueError(
                "session_short_expiration_interval must be smaller than session_expiration_interval "
                f"({self.session_expiration_interval} s)"
            )
        return self


class PushNotification(PolicyObject):
    """Push notification configuration (8.6); off by default."""

    noun: ClassVar[str] = "PushNotificationConfiguration"

    enable_apple_push_notification_service: Annotated[
        bool, Setting("EnableApplePushNotificationService", "opens", source="8.6")
    ] = False
    enable_microsoft_push_notification_service: Annotated[
        bool, Setting("EnableMicrosoftPushNotificationService", "opens", source="8.6")
    ] = False


class Pin(PolicyObject):
    """PIN policy (8.8). `maximum_logon_attempts` None: worked out from the length of the PIN."""

    noun: ClassVar[str] = "PinPolicy"

    min_password_length: Annotated[
        int, Field(ge=4, le=24), Setting("MinPasswordLength", unit="digits", source="8.8")
    ] = 5
    pin_lifetime: Annotated[int, Field(ge=0, le=999), Setting("PINLifetime", unit="days", source="8.8")] = 0
    pin_history_count: Annotated[
        int, Field(ge=0, le=20), Setting("PINHistoryCount", unit="PINs", source="8.8")
    ] = 0
    allow_common_patterns: Annotated[bool, Setting("AllowCommonPatterns", source="8.8")] = False
    maximum_logon_attempts: Annotated[
        Annotated[int, Field(ge=1, le=999)] | None,
        Setting("MaximumLogonAttempts", unit="attempts", source="8.8"),
    ] = None
    description: Annotated[str | None, Setting("Description", source="8.8")] = None

    @model_validator(mode="after")
    def _history_with_lifetime(self) -> Self:
        if self.pin_lifetime and not self.pin_history_count:
            raise ValueError("pin_history_count must be above 0 where PINs expire (pin_lifetime above 0)")
        return self

    def lockout(self, length: int) -> tuple[int, int]:
        """Failed attempts before a PIN of `length` digits is locked for 1 h: (per place, in all) (8.8)."""
        if self.maximum_logon_attempts is not None:
            return self.maximum_logon_attempts, self.maximum_logon_attempts
        if length <= 4:
            return 10, 100
        return (25, 1000) if length == 5 else (25, 5000)


class AvEdge(PolicyObject):
    """A/V Edge configuration (8.8): life of media credentials and bandwidth of the relay."""

    noun: ClassVar[str] = "AVEdgeConfiguration"

    max_token_lifetime: Annotated[
        int, Field(ge=60, le=180 * 86400), Setting("MaxTokenLifetime", unit="s", source="8.8")
    ] = 8 * 3600
    max_bandwidth_per_port_kb: Annotated[
        int, Field(ge=1, le=2**32), Setting("MaxBandwidthPerPortKb", unit="kbps", source="8.8")
    ] = 3000
    max_bandwidth_per_user_kb: Annotated[
        int, Field(ge=1, le=2**32), Setting("MaxBandwidthPerUserKb", unit="kbps", source="8.8")
    ] = 10000


class ConferencingService(PolicyObject):
    """Conferencing configuration: the media ports of clients (8.8)."""

    noun: ClassVar[str] = "ConferencingConfiguration"

    client_media_port_range_enabled: Annotated[bool, Setting("ClientMediaPortRangeEnabled", source="8.8")] = (
        False
    )
    client_media_port: Annotated[
        int, Field(ge=1024, le=65535), Setting("ClientMediaPort", unit="port", source="8.8")
    ] = 5350
    client_media_port_range: Annotated[
        int, Field(ge=1, le=65535), Setting("ClientMediaPortRange", unit="ports", source="8.8")
    ] = 40


class AllowedDomain(PolicyObject):
    """A SIP partner (8.7). Without `proxy_fqdn` its Access Edge is found by DNS SRV."""

    noun: ClassVar[str] = "AllowedDomain"

    domain: Annotated[Fqdn, Setting("Domain", "opens", source="8.7")]
    proxy_fqdn: Annotated[Fqdn | None, Setting("ProxyFqdn", source="8.7")] = None
    mark_for_monitoring: Annotated[bool, Setting("MarkForMonitoring", source="8.7")] = False
    comment: Annotated[str | None, Setting("Comment", source="8.7")] = None
    product: Annotated[
        Product,
        Setting(
            None,
            "opens",
            source="M17, M18",
            levels=(("ocs_2007",), ("ocs_2007_r2",), ("lync_2010", "lync_2013")),
            why="file transfer and desktop sharing between two users depend on the partner's product",
        ),
    ] = "lync_2013"


class BlockedDomain(PolicyObject):
    """A domain that is always refused, whatever else names it (J06)."""

    noun: ClassVar[str] = "BlockedDomain"

    domain: Annotated[Fqdn, Setting("Domain", "restrains", source="8.7, J06")]
    comment: Annotated[str | None, Setting("Comment", source="8.7")] = None


class PublicProvider(PolicyObject):
    """A public IM provider (8.7); its domains are those whose federation SRV leads to `proxy_fqdn` (9d)."""

    noun: ClassVar[str] = "PublicProvider"

    proxy_fqdn: Annotated[Fqdn, Setting("ProxyFqdn", source="8.7")]
    enabled: Annotated[
        bool,
        Setting(
            "Enabled", "opens", source="8.7", why="required on New; the providers that Lync ships are off"
        ),
    ] = False
    verification_level: Annotated[
        VerificationLevel, Setting("VerificationLevel", "opens", source="8.7, C4", levels=VERIFICATION_LEVELS)
    ] = "always_verifiable"
    network: Annotated[
        PublicNetwork,
        Setting(
            None, "selects", source="X03, X04, X05", why="capabilities, end dates and licences depend on it"
        ),
    ] = "other"
    capabilities: Annotated[
        tuple[Capability, ...] | None,
        Setting(
            None, "opens", source="X03", why="what the provider can do; left out: what X03 says of `network`"
        ),
    ] = None
    provisioned: Annotated[
        bool,
        Setting(
            None,
            "opens",
            source="8.1",
            why="the provider must have provisioned the organisation: not ours to see",
        ),
    ] = True
    ends: Annotated[
        date | None,
        Setting(
            None,
            "opens",
            source="X04",
            why="last day on which it federates; left out: what X04 says of `network`",
        ),
    ] = None

    def can(self) -> frozenset[Capability]:
        """What the provider offers (X03)."""
        return frozenset(CAPABILITIES[self.network] if self.capabilities is None else self.capabilities)

    def last_day(self) -> date | None:
        """Last day on which the provider federates, None: no end (X04)."""
        return self.ends or ENDS.get(self.network)

    @model_validator(mode="after")
    def _no_more_than_documented(self) -> Self:
        more = sorted(self.can() - set(CAPABILITIES[self.network])) if self.network != "other" else []
        if more:
            raise ValueError(f"{self.network} offers no {' and no '.join(more)} (X03)")
        return self


class HostingProvider(PolicyObject):
    """A hosting provider (8.7); with shared address space it gets our unknown users, nobody refuses them."""

    noun: ClassVar[str] = "HostingProvider"

    proxy_fqdn: Annotated[Fqdn, Setting("ProxyFqdn", source="8.7")]
    enabled: Annotated[bool, Setting("Enabled", "opens", source="8.7")] = False
    enabled_shared_address_space: Annotated[
        bool, Setting("EnabledSharedAddressSpace", "opens", source="8.7")
    ] = False
    hosts_ocs_users: Annotated[bool, Setting("HostsOCSUsers", source="8.7")] = False
    is_local: Annotated[bool, Setting("IsLocal", source="8.7")] = False
    verification_level: Annotated[
        VerificationLevel, Setting("VerificationLevel", "opens", source="8.7, C4", levels=VERIFICATION_LEVELS)
    ] = "always_verifiable"
    autodiscover_url: Annotated[str | None, Setting("AutodiscoverUrl", source="8.7")] = None
    sip_client_port: Annotated[
        int, Field(ge=1, le=65535), Setting("SipClientPort", unit="port", source="8.7")
    ] = 443


class XmppPartner(PolicyObject):
    """An XMPP partner (8.7); `additional_domains` are served by the same partner."""

    noun: ClassVar[str] = "XmppAllowedPartner"

    domain: Annotated[Fqdn, Setting("Domain", "opens", source="8.7")]
    additional_domains: Annotated[tuple[Fqdn, ...], Setting("AdditionalDomains", "opens", source="8.7")] = ()
    partner_type: Annotated[
        Literal["federated", "public_verified", "public_unverified"],
        Setting(
            "PartnerType",
            "opens",
            source="8.7",
            levels=(("public_unverified",), ("public_verified", "federated")),
        ),
    ] = "public_unverified"
    tls_negotiation: Annotated[Negotiation, Setting("TlsNegotiation", source="8.7")] = "required"
    sasl_negotiation: Annotated[Negotiation, Setting("SaslNegotiation", source="8.7")] = "required"
    support_dialback_negotiation: Annotated[bool, Setting("SupportDialbackNegotiation", source="8.7")] = True
    enable_keep_alive: Annotated[bool, Setting("EnableKeepAlive", source="8.7")] = True
    connection_limit: Annotated[
        Count | None, Setting("ConnectionLimit", unit="connections", source="8.7")
    ] = None
    proxy_fqdn: Annotated[Fqdn | None, Setting("ProxyFqdn", source="8.7")] = None
    description: Annotated[str | None, Setting("Description", source="8.7")] = None

    @property
    def domains(self) -> tuple[str, ...]:
        """Every domain of the partner."""
        return (self.domain, *self.additional_domains)


class XmppGateway(PolicyObject):
    """XMPP gateway configuration (8.7). The dialback passphrase is a secret: it lies in the credentials."""

    noun: ClassVar[str] = "XmppGatewayConfiguration"
    fixed: ClassVar[bool] = True

    connection_limit: Annotated[Count, Setting("ConnectionLimit", unit="connections", source="8.7")] = 1000
    partner_connection_limit: Annotated[
        Count, Setting("PartnerConnectionLimit", unit="connections", source="8.7")
    ] = 20
    stream_establishment_timeout: Annotated[
        Count, Setting("StreamEstablishmentTimeout", unit="s", source="8.7")
    ] = 60
    stream_inactivity_timeout: Annotated[
        Count, Setting("StreamInactivityTimeout", unit="s", source="8.7")
    ] = 600
    keep_alive_interval: Annotated[Count, Setting("KeepAliveInterval", unit="s", source="8.7")] = 300
    subscription_refresh_interval: Annotated[
        Count, Setting("SubscriptionRefreshInterval", unit="s", source="8.7")
    ] = 28800
    enable_logging_all_message_bodies: Annotated[
        bool, Setting("EnableLoggingAllMessageBodies", source="8.7")
    ] = False


T = TypeVar("T", bound=PolicyObject)


class _Scoped(Model):
    @model_validator(mode="before")
    @classmethod
    def _global_always_exists(cls, value: Any) -> Any:
        return {"global": {}, **value} if isinstance(value, dict) else value


class UserScoped(_Scoped, Generic[T]):
    """Policies of one kind. The global one always exists (J05), one by site name, user policies by tag."""

    global_: T = Field(alias="global")
    site: dict[str, T] = {}
    user: dict[str, T] = {}


class ServiceScoped(_Scoped, Generic[T]):
    """Configurations of one kind: the global one, one by site name, one by the service's pool FQDN (J02)."""

    global_: T = Field(alias="global")
    site: dict[str, T] = {}
    service: dict[str, T] = {}


class SiteScoped(_Scoped, Generic[T]):
    """Configurations that know global and site only."""

    global_: T = Field(alias="global")
    site: dict[str, T] = {}


class Policies(Model):
    """`policies.yml`: only what differs from the documented default has to be written."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    access_edge: AccessEdge = AccessEdge()
    external_access: UserScoped[ExternalAccess] = UserScoped[ExternalAccess].model_validate({})
    conferencing: UserScoped[Conferencing] = UserScoped[Conferencing].model_validate({})
    instant_messaging: InstantMessaging = InstantMessaging()
    mobility: UserScoped[Mobility] = UserScoped[Mobility].model_validate({})
    pin: UserScoped[Pin] = UserScoped[Pin].model_validate({})
    meeting: ServiceScoped[Meeting] = ServiceScoped[Meeting].model_validate({})
    av_edge: ServiceScoped[AvEdge] = ServiceScoped[AvEdge].model_validate({})
    mobility_service: ServiceScoped[MobilityService] = ServiceScoped[MobilityService].model_validate({})
    conferencing_service: ServiceScoped[ConferencingService] = ServiceScoped[
        ConferencingService
    ].model_validate({})
    push_notification: SiteScoped[PushNotification] = SiteScoped[PushNotification].model_validate({})
    allowed_domains: tuple[AllowedDomain, ...] = ()
    blocked_domains: tuple[BlockedDomain, ...] = ()
    public_providers: dict[str, PublicProvider] = {}
    hosting_providers: dict[str, HostingProvider] = {}
    xmpp_partners: tuple[XmppPartner, ...] = ()
    xmpp_gateway: XmppGateway = XmppGateway()

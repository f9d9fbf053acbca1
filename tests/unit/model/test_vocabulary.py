"""Names, defaults, ranges and values of the policy model against the public cmdlet reference.

`tests/data/cs-settings.json` is the part of the table of cmdlets that concerns these objects, in the state of
the pages before they were rewritten for the cloud. Each deliberate difference is listed here with its reason.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edgewright.model import vocabulary
from edgewright.model.setting import Described, PolicyObject, describe

ROOT = Path(__file__).parents[3]
NOUNS: dict[str, dict[str, dict[str, Any]]] = json.loads((ROOT / "tests/data/cs-settings.json").read_text())[
    "nouns"
]
KINDS = {kind.noun or kind.__name__: kind for _, kind, _ in vocabulary.kinds()}
FIELDS = [(kind, entry) for kind in KINDS.values() for entry in describe(kind)]
NAMED = [(kind, entry) for kind, entry in FIELDS if entry.setting.parameter]
IDS = [f"{kind.noun}.{entry.setting.parameter}" for kind, entry in NAMED]

ADDED = {
    "AllowedDomain.product": "M17 and M18 depend on the partner's product",
    "PublicProvider.network": "X02-X05 depend on the network",
    "PublicProvider.capabilities": "X03, for networks that no page names",
    "PublicProvider.provisioned": "8.1: the provider must have provisioned the organisation",
    "PublicProvider.ends": "X04",
    "ConferencingPolicy.max_file_size_mb": "M17: our web services hold what Lync sends from client to client",
    "InstantMessaging.max_message_size": "M02: a limit must be said, not found out",
    "InstantMessaging.content_types": "M02: unknown bodies are refused",
}

OUR_OBJECTS = {"InstantMessaging"}
"""Objects that Lync does not have."""

CLIENT_PORTS = ("AppSharing", "Audio", "FileTransfer", "SipDynamic", "Video")

LEFT_OUT = {
    "AccessEdgeConfiguration.UseDefaultRouting": "the other value of routing_method",
    "ConferencingPolicy.EnableDataCollaboration": "documented without a default or an effect; not in 8.4",
    "PublicProvider.IconUrl": "shown by clients only",
    "PublicProvider.NameDecorationDomain": "address book of clients only",
    "XmppGatewayConfiguration.DialbackPassphrase": "a secret: it lies in the credentials",
    **{
        f"ConferencingConfiguration.{name}": "of conferences inside; 8.8 names the client's media ports only"
        for name in (
            *(f"Client{kind}Port{end}" for kind in CLIENT_PORTS for end in ("", "Range")),
            *("ConsoleDownloadExternalUrl", "ConsoleDownloadInternalUrl", "ContentGracePeriod"),
            *("HelpdeskExternalUrl", "HelpdeskInternalUrl", "MaxBandwidthPerAppSharingServiceMb"),
            *("MaxContentStorageMb", "MaxUploadFileSizeMb", "Organization"),
        )
    },
    "ExternalAccessPolicy.EnableTeamsConsumerAccess": "cloud only, whatever its products say",
    "ExternalAccessPolicy.EnableTeamsConsumerInbound": "cloud only, whatever its products say",
}
"""Parameters that Lync Server 2013 has and the model does not."""

OUR_DEFAULT = {
    "AccessEdgeConfiguration.DiscoveredPartnerVerificationLevel",
    "AccessEdgeConfiguration.UseDnsSrvRouting",
    "AccessEdgeConfiguration.VerificationLevel",
    "AccessEdgeConfiguration.IsPublicProvider",
    "MobilityPolicy.EnableMobility",
    "PublicProvider.Enabled",
}
"""No default is documented and one is needed. Elsewhere the absence of a value is the default."""

OUR_RANGE = {
    "AccessEdgeConfiguration.OutgoingTlsCountForFederatedPartners": "8.2: 1-4, from the text",
    "AccessEdgeConfiguration.CertificatesDeletedPercentage": "a percentage",
    "ConferencingPolicy.MaxMeetingSize": "8.4: 2-250 recommended; more was never supported",
    "PinPolicy.MinPasswordLength": "8.8: 4-24, from the text",
    "AVEdgeConfiguration.MaxTokenLifetime": "8.8: 1 minute to 180 days, from the text",
    "ConferencingConfiguration.ClientMediaPortRange": "ports",
    "HostingProvider.SipClientPort": "a port",
}


def key(kind: type[PolicyObject], entry: Described) -> str:
    return f"{kind.noun}.{entry.setting.parameter}"


def plain(value: Any) -> str:
    """A value in the spelling that both sides share."""
    return str(value).replace("_", "").lower()


def documented(kind: type[PolicyObject], entry: Described, what: str) -> list[Any]:
    """What the pages of New and Set state."""
    return list(NOUNS[kind.noun][str(entry.setting.parameter)].get(what, {}).values())


def test_every_object_is_there() -> None:
    assert set(NOUNS) == set(KINDS) - OUR_OBJECTS


def test_additions_of_our_own() -> None:
    ours = {
        f"{kind.noun or kind.__name__}.{entry.name}"
        for kind, entry in FIELDS
        if entry.setting.parameter is None
    }
    assert ours == set(ADDED)
    assert all(entry.setting.why for _, entry in FIELDS if entry.setting.parameter is None)


@pytest.mark.parametrize(("kind", "entry"), NAMED, ids=IDS)
def test_name(kind: type[PolicyObject], entry: Described) -> None:
    """The parameter exists; our name is Lync's in snake_case."""
    assert entry.setting.parameter in NOUNS[kind.noun]
    if key(kind, entry) != "AccessEdgeConfiguration.UseDnsSrvRouting":
        assert plain(entry.name) == plain(entry.setting.parameter)


def test_nothing_of_lync_2013_is_forgotten() -> None:
    have = {key(kind, entry) for kind, entry in NAMED}
    lync = {
        f"{noun}.{name}"
        for noun, parameters in NOUNS.items()
        for name, facts in parameters.items()
        if "LS2013" in facts["products"]
    }
    assert lync - have == set(LEFT_OUT)


@pytest.mark.parametrize(("kind", "entry"), NAMED, ids=IDS)
def test_default(kind: type[PolicyObject], entry: Described) -> None:
    said = documented(kind, entry, "default")
    if not said:
        empty = entry.required or entry.default in (None, ())
        # The table of cmdlets (cs-cmdlets.md) states this one from the text of Get.
        assert empty or key(kind, entry) in {
            *OUR_DEFAULT,
            "MeetingConfiguration.EnableAssignedConferenceType",
        }
        return
    if key(kind, entry) == "AVEdgeConfiguration.MaxTokenLifetime":
        assert said[0] == "8 hours"
        assert entry.default == timedelta(hours=8).total_seconds()
    elif key(kind, entry) == "PinPolicy.MaximumLogonAttempts":
        assert (said[0], entry.default) == ("Null", None)
    elif len({value.split()[0] for value in said}) > 1:
        # ConferencingPolicy VideoBitRateKb: New says 400, Set says 50000 as the reference does (8.4).
        assert key(kind, entry) == "ConferencingPolicy.VideoBitRateKb"
        assert entry.setting.why
        assert str(entry.default) in said
    else:
        assert plain(entry.default) == plain(said[0].split()[0])


@pytest.mark.parametrize(("kind", "entry"), NAMED, ids=IDS)
def test_range(kind: type[PolicyObject], entry: Described) -> None:
    stated = documented(kind, entry, "range")
    for low, high in stated:
        assert [entry.low, entry.high] == [low, high]
    if not stated and entry.low is not None and (entry.low, entry.high) != (0, 4294967295):
        assert key(kind, entry) in OUR_RANGE


@pytest.mark.parametrize(("kind", "entry"), NAMED, ids=IDS)
def test_values(kind: type[PolicyObject], entry: Described) -> None:
    ours = {plain(value.strip()) for value in entry.type.strip("{}").split(",")}
    for values in documented(kind, entry, "values"):
        assert {plain(value) for value in values} == ours


def test_an_undocumented_default_says_why() -> None:
    for kind, entry in NAMED:
        if key(kind, entry) in OUR_DEFAULT and entry.default is not False:
            assert entry.setting.why, key(kind, entry)


@pytest.mark.parametrize(
    ("kind", "entry"), FIELDS, ids=[f"{kind.noun}.{entry.name}" for kind, entry in FIELDS]
)
def test_levels_order_all_values(kind: type[PolicyObject], entry: Described) -> None:
    """A setting with words for values that is not neutral says which are stricter."""
    assert entry.setting.source
    if entry.type.startswith("{") and entry.setting.direction in ("opens", "restrains"):
        values = [value for level in entry.setting.levels for value in level]
        assert sorted(values) == sorted(value.strip() for value in entry.type.strip("{}").split(","))


def test_stricter_values() -> None:
    settings = {f"{kind.noun}.{entry.name}": entry.setting for kind, entry in FIELDS}
    sharing = settings["ConferencingPolicy.enable_app_desktop_sharing"]
    assert sharing.stricter("desktop") == ("none", "single_application")
    assert sharing.stricter("none") == ()
    assert settings["MobilityPolicy.require_wifi_for_ip_video"].stricter(False) == (True,)
    assert settings["AccessEdgeConfiguration.allow_outside_users"].stricter(True) == (False,)
    assert settings["AccessEdgeConfiguration.be_clearing_house"].stricter(True) == ()
    level = settings["PublicProvider.verification_level"]
    assert set(level.stricter("always_verifiable")) == {"always_unverifiable", "use_source_verification"}
    assert level.stricter("use_source_verification") == ()


def test_the_page_is_what_the_model_says() -> None:
    """Run `python -m edgewright.model.vocabulary > docs/policies.md` after a change of the model."""
    assert (ROOT / "docs/policies.md").read_text() == vocabulary.markdown()

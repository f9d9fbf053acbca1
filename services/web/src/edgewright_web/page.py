"""The signed-in user's page: who you are, your home pool, how to sign in, what your policy allows."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from edgewright_web.settings import Settings, Site
from edgewright_web.tables import User

STYLE = (files("edgewright_web") / "templates" / "style.css").read_text(encoding="utf-8")

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}

_LABELS = (
    ("enable_outside_access", "Sign in from outside the organisation's network"),
    ("enable_federation_access", "Talk to people at partner organisations"),
    ("enable_xmpp_access", "Chat with people at XMPP partners"),
    ("enable_public_cloud_access", "Chat with people at public IM providers"),
    ("enable_mobility", "Use a mobile client"),
    ("allow_anonymous_participants_in_meetings", "Invite guests without an account to your meetings"),
)
_FROM_OUTSIDE = {"enable_outside_access"}
"""Settings that the organisation's switch for outside users overrules (J03)."""


def content(settings: Settings, site: Site, user: User, outside_users: bool) -> dict[str, Any]:
    """What the template shows; only what concerns this user."""
    home = settings.homes[user.home]
    external = home.sip_external.get(user.address.partition("@")[2])
    return {
        "style": STYLE,
        "organization": settings.organization,
        "outside": site == "external",
        "name": user.name or user.address,
        "address": user.address,
        "user_name": user.address.partition("@")[0],
        "realm": settings.realm,
        "home": home.pool,
        "inside_access": home.sip_internal,
        "outside_access": external if outside_users and user.allows("enable_outside_access") else None,
        "permissions": [
            (label, user.allows(setting) and (outside_users or setting not in _FROM_OUTSIDE))
            for setting, label in _LABELS
            if setting in user.policy
        ],
    }

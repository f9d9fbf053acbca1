"""Autodiscover documents (section 9a, rows DX09, Q13): where a client finds its home pool, as JSON or XML.

Shape of the JSON: `{"AccessLocation": "External", "Root": {"Links": [{"token": "User", "href": "https://..."}]}}`;
the XML has the same content, links and SIP entrances as elements with attributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from edgewright_web.settings import Access, Home, Settings, Site

PATH = "/Autodiscover/AutodiscoverService.svc/root"
JSON = "application/vnd.microsoft.rtc.autodiscover+json;v=1"
XML = "application/vnd.microsoft.rtc.autodiscover+xml;v=1"

_JSON_TYPES = ("application/vnd.microsoft.rtc.autodiscover+json", "application/json")
_XML_TYPES = ("application/vnd.microsoft.rtc.autodiscover+xml", "application/xml", "text/xml")


@dataclass(frozen=True, slots=True)
class Document:
    """One answer: `kind` is Root, Domain or User; `access` maps element names to SIP entrances."""

    location: str
    kind: str
    links: tuple[tuple[str, str], ...]
    access: tuple[tuple[str, Access], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The document as JSON-able data."""
        body: dict[str, Any] = {name: {"fqdn": a.fqdn, "port": str(a.port)} for name, a in self.access}
        body["Links"] = [{"token": token, "href": href} for token, href in self.links]
        return {"AccessLocation": self.location, self.kind: body}

    def as_xml(self) -> bytes:
        """The document as XML."""
        root = ET.Element("AutodiscoverResponse", AccessLocation=self.location)
        body = ET.SubElement(root, self.kind)
        for name, access in self.access:
            ET.SubElement(body, name, fqdn=access.fqdn, port=str(access.port))
        for token, href in self.links:
            ET.SubElement(body, "Link", token=token, href=href)
        document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return document


def _url(host: str, suffix: str = "") -> str:
    return f"https://{host}{PATH}{suffix}"


def root(settings: Settings, site: Site) -> Document:
    """What anybody is told: where to ask next, under this pool's own web FQDN."""
    host = settings.web[site]
    links = (
        ("Domain", _url(host, "/domain")),
        ("User", _url(host, "/user")),
        ("Self", _url(host)),
        ("OAuth", _url(host, "/oauth/user")),
    )
    return Document(site.capitalize(), "Root", links)


def domain(settings: Settings, site: Site) -> Document:
    """What anybody is told about the organisation: Autodiscover's own addresses on this site."""
    location = site.capitalize()
    return Document(location, "Domain", ((f"{location}/Autodiscover", _url(settings.web[site])),))


def user(settings: Settings, site: Site, home: Home, sip_domain: str) -> Document:
    """What a signed-in user is told: entrances and web services of the *home* pool, whoever is asked (9a)."""
    access = [("SipServerInternalAccess", home.sip_internal), ("SipClientInternalAccess", home.sip_internal)]
    if external := home.sip_external.get(sip_domain):
        access += [
            ("SipServerExternalAccess", Access(external.fqdn, 5061)),
            ("SipClientExternalAccess", external),
        ]
    links = []
    if home.web_external:
        links.append(("External/Autodiscover", _url(home.web_external)))
    if home.web_internal:
        links.append(("Internal/Autodiscover", _url(home.web_internal)))
    links.append(("Self", _url(settings.web[site], "/user")))
    return Document(site.capitalize(), "User", tuple(links), tuple(access))


def wants_xml(accept: str) -> bool:
    """True if the Accept header (RFC 9110 section 12.5.1) prefers XML; JSON is the default."""
    quality = {"json": 0.0, "xml": 0.0}
    for item in accept.split(","):
        kind, _, parameters = item.partition(";")
        q = 1.0
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                try:
                    q = float(value)
                except ValueError:
                    q = 0.0
        for name, types in (("json", _JSON_TYPES), ("xml", _XML_TYPES)):
            if kind.strip().lower() in types:
                quality[name] = max(quality[name], q)
    return quality["xml"] > quality["json"]

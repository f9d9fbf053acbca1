"""The nginx configurations as the roles render them: what must and must not be in them, and golden copies.

`EDGEWRIGHT_UPDATE_GOLDEN=1` writes the golden copies anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edgewright import model, plan

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests/golden/nginx"
CASES = [
    ("contoso", "reverse_proxy", "proxy1"),
    ("contoso", "web_service", "fe1"),
    ("contoso", "web_service", "director1"),
    ("minimal", "web_service", "fe1"),
    ("two-of-each", "reverse_proxy", "proxy2"),
    ("two-of-each", "web_service", "fe2"),
]


@cache
def planned(name: str) -> plan.Plan:
    folder = ROOT / "inventory" / name
    return plan.make(model.load(folder if folder.exists() else ROOT / "tests/deployments" / name))


def render(name: str, role: str, host: str, **changed: Any) -> str:
    """The role's nginx.conf as the action `edgewright_config` renders it."""
    environment = Environment(
        loader=FileSystemLoader(ROOT / "roles" / role / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["regex_escape"] = re.escape
    knobs = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())
    settings = planned(name).settings[host][role] | changed
    return environment.get_template("nginx.conf.j2").render(**knobs, **{role: settings})


def servers(text: str) -> Iterator[str]:
    """The server blocks."""
    yield from re.findall(r"^    server \{\n(.*?)^    \}", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("name", "role", "host"), CASES)
def test_golden(name: str, role: str, host: str) -> None:
    golden = GOLDEN / f"{name}-{host}.conf"
    text = re.sub(r"\n{3,}", "\n\n", render(name, role, host))
    if os.environ.get("EDGEWRIGHT_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text(), f"{golden}: EDGEWRIGHT_UPDATE_GOLDEN=1 writes it anew"


@pytest.mark.parametrize(("name", "role", "host"), CASES)
def test_unknown_names_get_no_certificate(name: str, role: str, host: str) -> None:
    defaults = [block for block in servers(render(name, role, host)) if "default_server" in block]
    assert defaults
    for block in defaults:
        assert "set $refused web-host-unpublished;" in block
        assert "return 404;" in block
        assert "proxy_pass" not in block
        if " ssl " in block:
            assert "ssl_reject_handshake on;" in block
            assert "ssl_certificate " not in block


@pytest.mark.parametrize(("name", "role", "host"), CASES)
def test_every_listener_has_its_refusing_default(name: str, role: str, host: str) -> None:
    text = render(name, role, host)
    listeners = set(re.findall(r"listen (\S+?)(?: ssl)?;", text))
    assert listeners == set(re.findall(r"listen (\S+?)(?: ssl)? default_server;", text))


@pytest.mark.parametrize(("name", "host"), [("contoso", "proxy1"), ("two-of-each", "proxy2")])
def test_proxy_is_default_deny_and_verifies(name: str, host: str) -> None:
    text = render(name, "reverse_proxy", host)
    assert "proxy_ssl_verify on;" in text
    assert "proxy_ssl_verify off" not in text
    assert "proxy_cache off;" in text
    assert "proxy_read_timeout 960s;" in text
    assert "auth_basic" not in text
    for block in servers(text):
        if "proxy_pass" in block:
            assert re.search(r"location / \{\s+set \$refused web-path-unpublished;\s+return 404;", block)
            assert block.count("proxy_pass") == block.count("proxy_ssl_name")
            assert "proxy_pass http:" not in block


@pytest.mark.parametrize(
    ("path", "matching", "other"),
    [
        ("/", ["/"], ["/x", "//"]),
        ("/user", ["/user", "/USER", "/user/x"], ["/users", "/x/user", "/"]),
        ("/a.b", ["/a.b"], ["/axb"]),
        ("/*", ["/", "/x", "/x/y"], []),
    ],
)
def test_meaning_of_a_path(path: str, matching: list[str], other: list[str]) -> None:
    site = {"host": "web.contoso.example", "upstream": "u", "paths": [path]}
    upstream = {"name": "u", "tls_name": "u.example", "servers": ["198.18.3.1:4443"]}
    text = render("contoso", "reverse_proxy", "proxy1", sites=[site], upstreams=[upstream])
    (pattern,) = re.findall(r'location ~\* "(.*)"', text)
    assert all(re.search(pattern, example, re.IGNORECASE) for example in matching)
    assert not any(re.search(pattern, example, re.IGNORECASE) for example in other)


def test_a_proxy_that_publishes_nothing_refuses_everything() -> None:
    text = render("contoso", "reverse_proxy", "proxy1", sites=[], upstreams=[])
    assert "proxy_pass" not in text
    assert text.count("default_server") == 4


def test_only_proxies_name_the_request() -> None:
    text = render("contoso", "web_service", "fe1")
    assert text.count("set_real_ip_from") == 2
    assert '"~^1\\|(?<given>[0-9a-f]{32})$" $given;' in text


def test_the_pools_own_name_is_for_tls_only() -> None:
    """The proxies verify the external site under the pool's name; nobody may ask for it in Host."""
    blocks = [b for b in servers(render("contoso", "web_service", "fe1")) if ":4443 ssl;" in b]
    own = [b for b in blocks if "server_name fe.inside.contoso.example;" in b]
    assert len(own) == 1
    assert "proxy_pass" not in own[0]


@pytest.mark.skipif(
    shutil.which("nginx") is None, reason="no nginx on this machine; the hosts' own checks each change"
)
@pytest.mark.parametrize(("name", "role", "host"), CASES)
def test_nginx_takes_it(name: str, role: str, host: str, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(
        [*made, "-subj", "/CN=x", "-out", certificate, "-keyout", key], check=True, capture_output=True
    )
    text = re.sub(
        r"/etc/edgewright/certificates/\w+/fullchain.pem", str(certificate), render(name, role, host)
    )
    text = re.sub(r"/etc/edgewright/certificates/\w+/privkey.pem", str(key), text)
    text = text.replace("/etc/edgewright/trust/inside.pem", str(certificate))
    text = text.replace("/etc/nginx/edgewright", str(ROOT / "roles/reverse_proxy/files"))
    # Other machines have other addresses: which they are does not matter here.
    text = re.sub(r"listen \S+:(\d+)", lambda m: f"listen 127.0.0.1:{20000 + int(m[1])}", text)
    text = re.sub(r"(        listen \S+( ssl)?( default_server)?;\n)\1+", r"\1", text)
    text = text.replace("pid /run/nginx.pid;", f"pid {tmp_path / 'pid'};")
    path = tmp_path / "nginx.conf"
    path.write_text(text)
    ran = subprocess.run(["nginx", "-t", "-q", "-c", path], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr

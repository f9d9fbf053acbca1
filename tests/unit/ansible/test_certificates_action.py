"""`edgewright_certificates` on the controller: hosts are folders, their answers the real program's."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgewright import authority, slots
from edgewright.model import credentials

ROOT = Path(__file__).parents[3]
GROUP = subprocess.run(["id", "-gn"], capture_output=True, text=True, check=True).stdout.strip()
sys.path.append(str(ROOT / "services/certificates/src"))

from edgewright_certificates import cli, store  # noqa: E402


def load_action() -> Any:
    path = ROOT / "plugins/action/edgewright_certificates.py"
    spec = importlib.util.spec_from_file_location("edgewright_certificates_action", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ActionModule


ACTION = load_action()


class Site:
    """A controller's state, an ACME directory, and hosts by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directory = authority.Authority(folder / "directory", "directory", b"x")
        self.asked: list[tuple[str, str]] = []

    def host(self, name: str) -> store.Store:
        return store.Store(self.folder / name / "certificates")

    def ask(self, name: str, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What the module does: the host's program, but for orders, which this directory fills."""
        self.asked.append((name, verb))
        there = self.host(name)
        if verb != "order":
            return cli.answer(verb, asked, there)
        (slot,) = asked["slots"]
        request = there.request(slot, self.wanted[slot])
        chain = self.directory.sign(request, self.wanted[slot]["sans"], ["server"], 90)
        there.install(slot, {**self.wanted[slot], "fullchain": chain})
        return {"chains": {slot: chain}}

    def run(self, name: str, wanted: list[dict[str, Any]], check: bool = False) -> dict[str, Any]:
        self.wanted = {slot["name"]: slot for slot in wanted}
        action = ACTION.__new__(ACTION)
        action._task = SimpleNamespace(
            args={"slots": wanted, "renew_before_days": 30}, check_mode=check, async_val=0, diff=False
        )
        action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), has_pipelining=True)
        action._play_context = SimpleNamespace(check_mode=check)
        action._loader = SimpleNamespace(get_real_file=lambda path, decrypt: path)
        action._templar = None
        action._remove_tmp_path = lambda _: None
        action._ask = lambda verb, asked: self.ask(name, verb, asked)
        self.asked.clear()
        state = {"edgewright_state": str(self.folder / "state"), "edgewright_deployment": "test"}
        return dict(action.run(None, state))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(credentials, "vault_password", lambda: b"password")
    return Site(tmp_path)


def slot(name: str = "default", **more: Any) -> dict[str, Any]:
    given = {
        "name": name, "subject": "a.example", "sans": ["a.example"], "eku": ["server", "client"],
        "key_type": "ecdsa-p256", "source": "own_ca", "files": None, "shared": None, "group": GROUP,
    }  # fmt: skip
    return {**given, **more}


def test_issue_once_then_one_module_run(site: Site) -> None:
    first = site.run("h1", [slot()])
    assert first["actions"] == ["issue default (there is none)"]
    again = site.run("h1", [slot()])
    assert not again["changed"]
    assert site.asked == [("h1", "inspect")]


def test_check_mode_is_truthful(site: Site) -> None:
    assert site.run("h1", [slot()], check=True)["actions"] == ["would issue default (there is none)"]
    assert site.host("h1").slots() == []
    site.run("h1", [slot()])
    assert not site.run("h1", [slot()], check=True)["changed"]


def test_names_changed_keep_the_key(site: Site) -> None:
    site.run("h1", [slot()])
    key = site.host("h1").key("default").read_bytes()
    result = site.run("h1", [slot(sans=["a.example", "b.example"])])
    assert result["actions"] == ["issue default (its names have changed)"]
    assert site.host("h1").key("default").read_bytes() == key
    result = site.run("h1", [slot(sans=["a.example", "b.example"], key_type="rsa-2048")])
    assert result["actions"] == ["issue default (its key should be rsa-2048)"]
    assert site.host("h1").key("default").read_bytes() != key


def test_an_expired_one_is_replaced(site: Site) -> None:
    site.run("h1", [slot()])
    there = site.host("h1")
    ca = authority.Authority(site.folder / "state/ca/inside", "test inside CA", b"password")
    old = ca.sign(there.request("default", slot()), ["a.example"], ["server", "client"], days=0)
    there.install("default", slot(fullchain=old, key=None))
    assert site.run("h1", [slot()])["actions"] == ["issue default (it has expired)"]
    assert not site.run("h1", [slot()])["changed"]


def test_slots_that_the_plan_dropped_go(site: Site) -> None:
    site.run("h1", [slot(), slot("web_internal")])
    assert site.run("h1", [slot()], check=True)["actions"] == ["would remove slot web_internal"]
    assert site.host("h1").slots() == ["default", "web_internal"]
    assert site.run("h1", [slot()])["actions"] == ["remove slot web_internal"]
    assert site.host("h1").slots() == ["default"]


def test_modes_are_put_right(site: Site) -> None:
    site.run("h1", [slot()])
    site.host("h1").key("default").chmod(0o644)
    assert site.run("h1", [slot()])["actions"] == ["set the modes of slot default"]
    assert not site.run("h1", [slot()])["changed"]


@pytest.mark.parametrize("source", ["own_ca", "acme"])
def test_a_pool_shares_key_and_order(site: Site, source: str) -> None:
    shared = slot("edge_external", shared="edge-edge_external", source=source)
    verb = "order" if source == "acme" else "issue"
    assert site.run("h1", [shared])["actions"] == [f"{verb} edge_external (there is none)"]
    assert site.run("h2", [shared])["actions"] == ["copy edge_external (the pool's)"]
    assert ("h2", "order") not in site.asked
    one, two = site.host("h1"), site.host("h2")
    assert one.key("edge_external").read_bytes() == two.key("edge_external").read_bytes()
    assert one.chain("edge_external") == two.chain("edge_external")
    for name in ("h1", "h2"):
        assert not site.run(name, [shared])["changed"]
        assert site.asked == [(name, "inspect")]


def test_what_one_host_renewed_reaches_the_others(site: Site) -> None:
    shared = slot("edge_external", shared="edge-edge_external", source="acme")
    site.run("h1", [shared])
    site.run("h2", [shared])
    one = site.host("h1")
    newer = site.directory.sign(one.request("edge_external", shared), ["a.example"], ["server"], 95)
    one.install("edge_external", {**shared, "fullchain": newer})
    assert not site.run("h1", [shared])["changed"]
    assert site.run("h2", [shared])["actions"] == ["copy edge_external (the pool's)"]
    assert site.host("h2").chain("edge_external") == newer
    assert not site.run("h1", [shared])["changed"]


def test_the_shared_key_is_encrypted_on_the_controller(site: Site) -> None:
    site.run("h1", [slot("proxy", shared="p-proxy", source="acme")])
    (path,) = (site.folder / "state/certificates/p-proxy").glob("privkey-*.pem")
    assert "ENCRYPTED" in path.read_text()


def test_files_of_the_operator(site: Site, tmp_path: Path) -> None:
    key = authority.make_key("ecdsa-p256")
    chain = site.directory.sign(authority.request_for(key, ["a.example"]), ["a.example"], ["server"])
    (tmp_path / "key.pem").write_text(authority.key_text(key))
    (tmp_path / "cert.pem").write_text(chain)
    (tmp_path / "chain.pem").write_text(site.directory.pem)
    files = {name: str(tmp_path / f"{file}.pem") for name, file in
             (("certificate", "cert"), ("key", "key"), ("chain", "chain"))}  # fmt: skip
    given = slot("proxy", source="files", files=files)
    assert site.run("h1", [given])["actions"] == ["copy proxy (the operator's files)"]
    assert len(slots.parse(site.host("h1").chain("proxy"))) == 2
    assert not site.run("h1", [given])["changed"]
    (tmp_path / "key.pem").write_text(authority.key_text(authority.make_key("ecdsa-p256")))
    with pytest.raises(Exception, match="not the certificate of"):
        site.run("h1", [given])

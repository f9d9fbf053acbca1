"""`edgewright_config` on a temporary root with a systemd that only remembers."""

from __future__ import annotations

import base64
import errno
import hashlib
import importlib
import importlib.util
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parents[3] / "plugins/modules/edgewright_config.py"
SPEC = importlib.util.spec_from_file_location("edgewright_config_module", PATH)
assert SPEC
assert SPEC.loader
module = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(module)
ConfigError = module.ConfigError
daemons = importlib.import_module("ansible.module_utils.edgewright.daemons")


class Systemd:
    """Answers systemctl and validators; remembers what it was asked."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self.enabled: set[str] = set()
        self.calls: list[list[str]] = []
        self.refuse: dict[str, str] = {}
        self.dies: set[str] = set()
        self.seen: dict[str, str] = {}
        self.stale: set[str] = set()
        self.type = "forking"

    def __call__(self, argv: list[str], timeout: float = 90) -> tuple[int, str]:
        self.calls.append(argv)
        if argv[0] != "systemctl":
            for name in argv[1:]:
                if Path(name).is_file():
                    self.seen[Path(name).name] = Path(name).read_text()
            return (1, self.refuse[argv[0]]) if argv[0] in self.refuse else (0, "")
        verb, *units = [word for word in argv[1:] if word != "--no-reload"]
        if verb == "show":
            return 0, "\n\n".join(self.state(u) for u in units if not u.startswith("--"))
        if verb in ("start", "restart"):
            died = self.dies.intersection(units)
            self.dies -= died
            self.active = (self.active | set(units)) - died
            return (1, "failed") if died else (0, "")
        if verb == "stop":
            self.active.discard(units[0])
        elif verb in ("enable", "disable"):
            (self.enabled.update if verb == "enable" else self.enabled.difference_update)(units)
        elif verb == "daemon-reload":
            self.stale.clear()
        return 0, ""

    def state(self, unit: str) -> str:
        active = "active" if unit in self.active else "inactive"
        return (
            f"Id={unit}\nType={self.type}\nLoadState=loaded\nActiveState={active}\n"
            f"UnitFileState={'enabled' if unit in self.enabled else 'disabled'}\n"
            f"NeedDaemonReload={'yes' if unit in self.stale else 'no'}"
        )

    def verbs(self) -> list[str]:
        """What changed something, e.g. `restart kamailio.service`."""
        quiet = ("show", "reset-failed")
        asked = [c for c in self.calls if c[0] == "systemctl" and c[1] not in quiet]
        return [" ".join(word for word in c[1:] if word != "--no-reload") for c in asked]


@pytest.fixture
def systemd() -> Systemd:
    return Systemd()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemons.time, "sleep", lambda _: None)


def wanted(tmp_path: Path, **parameters: Any) -> dict[str, Any]:
    me = {"owner": str(os.getuid()), "group": str(os.getgid())}
    for name in ("files", "directories"):
        parameters[name] = [{**me, **entry} for entry in parameters.get(name, [])]
    return {"root": str(tmp_path), **parameters}


def apply(systemd: Systemd, parameters: dict[str, Any], check: bool = False) -> dict[str, Any]:
    config = module.Config(parameters, check=check, diff=True)
    config.run_command = systemd
    systemd.calls.clear()
    return dict(config.apply())


def daemon(tmp_path: Path, text: str = "a = 1\n", **more: Any) -> dict[str, Any]:
    return wanted(
        tmp_path,
        files=[{"path": "/etc/d/d.conf", "content": text, "mode": "0640"}],
        exclusive=["/etc/d"],
        services=[{"name": "d", "enabled": True, "state": "started", "on_change": "restart"}],
        **more,
    )


def test_first_run_makes_all_and_second_changes_nothing(tmp_path: Path, systemd: Systemd) -> None:
    first = apply(systemd, daemon(tmp_path))
    assert first["changed"]
    assert (tmp_path / "etc/d/d.conf").read_text() == "a = 1\n"
    assert stat.S_IMODE((tmp_path / "etc/d/d.conf").stat().st_mode) == 0o640
    assert systemd.verbs() == ["enable d.service", "daemon-reload", "start d.service"]
    again = apply(systemd, daemon(tmp_path))
    assert not again["changed"]
    assert again["paths"] == again["actions"] == []
    assert systemd.verbs() == []


def test_running_daemon_of_the_package_is_restarted_with_its_first_configuration(
    tmp_path: Path, systemd: Systemd
) -> None:
    systemd.active.add("d.service")
    apply(systemd, daemon(tmp_path))
    assert "restart d.service" in systemd.verbs()


def test_change_restarts_and_shows_the_diff(tmp_path: Path, systemd: Systemd) -> None:
    apply(systemd, daemon(tmp_path))
    result = apply(systemd, daemon(tmp_path, "a = 2\n"))
    assert systemd.verbs() == ["restart d.service"]
    assert result["diff"][0]["before"] == "a = 1\n"
    assert result["diff"][0]["after"] == "a = 2\n"
    assert result["actions"] == ["restart d.service (/etc/d/d.conf)"]
    assert sorted(p.name for p in (tmp_path / "etc/d").iterdir()) == ["d.conf"]


def test_check_mode_says_what_would_happen_and_does_nothing(tmp_path: Path, systemd: Systemd) -> None:
    apply(systemd, daemon(tmp_path))
    result = apply(systemd, daemon(tmp_path, "a = 2\n"), check=True)
    assert result["changed"]
    assert result["actions"] == ["would restart d.service (/etc/d/d.conf)"]
    assert systemd.verbs() == []
    assert (tmp_path / "etc/d/d.conf").read_text() == "a = 1\n"
    assert not apply(systemd, daemon(tmp_path), check=True)["changed"]


def test_check_mode_on_a_fresh_host(tmp_path: Path, systemd: Systemd) -> None:
    systemd.refuse["true"] = "no certificate yet"
    result = apply(
        systemd,
        daemon(tmp_path, directories=[{"path": "/var/d"}], validate=["true -f /etc/d/d.conf"]),
        check=True,
    )
    assert result["changed"]
    assert list(tmp_path.iterdir()) == []


def test_validator_sees_a_staged_copy_and_can_refuse(tmp_path: Path, systemd: Systemd) -> None:
    text = "include /etc/d/extra.conf\nkeep /etc/d-other/x /var/etc/d\n"
    parameters = daemon(tmp_path, text, validate=["cat /etc/d/d.conf"])
    parameters["files"].append({**parameters["files"][0], "path": "/etc/d/extra.conf", "content": "x\n"})
    apply(systemd, parameters)
    lint = next(c for c in systemd.calls if c[0] == "cat")
    assert lint[1] != "/etc/d/d.conf"
    staged = lint[1].removesuffix("/etc/d/d.conf")
    assert systemd.seen["d.conf"] == f"include {staged}/etc/d/extra.conf\nkeep /etc/d-other/x /var/etc/d\n"
    assert not Path(staged).exists()

    systemd.refuse["cat"] = "line 1: nonsense"
    before = (tmp_path / "etc/d/d.conf").read_text()
    bad = {**parameters, "files": [{**parameters["files"][0], "content": "nonsense\n"}]}
    with pytest.raises(ConfigError, match=r"line 1: nonsense(.|\n)*not touched"):
        apply(systemd, bad)
    assert (tmp_path / "etc/d/d.conf").read_text() == before
    assert (tmp_path / "etc/d/extra.conf").exists()
    assert sorted(p.name for p in (tmp_path / "etc/d").iterdir()) == ["d.conf", "extra.conf"]
    assert systemd.verbs() == []
    with pytest.raises(ConfigError):
        apply(systemd, {**bad}, check=True)


def test_disk_full_while_staging_leaves_the_old(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = daemon(tmp_path)
    parameters["files"].append({**parameters["files"][0], "path": "/etc/d/e.conf"})
    apply(systemd, parameters)
    written = []
    real = module.Config.write_beside

    def full(self: Any, entry: dict[str, Any]) -> None:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device", entry["path"])
        written.append(entry)
        real(self, entry)

    monkeypatch.setattr(module.Config, "write_beside", full)
    for entry in parameters["files"]:
        entry["content"] = "new\n"
        entry.pop("sha256")
    with pytest.raises(ConfigError, match=r"No space left on device.*nothing was replaced"):
        apply(systemd, parameters)
    assert [p.read_text() for p in sorted((tmp_path / "etc/d").iterdir())] == ["a = 1\n", "a = 1\n"]
    assert systemd.verbs() == []


def test_crash_between_replace_and_restart_restarts_at_the_next_run(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(systemd, daemon(tmp_path))
    with monkeypatch.context() as patch:

        def killed(self: Any, had_state: bool) -> None:
            raise KeyboardInterrupt

        patch.setattr(module.Config, "bring_daemons", killed)
        with pytest.raises(KeyboardInterrupt):
            apply(systemd, daemon(tmp_path, "a = 2\n"))
    assert (tmp_path / "etc/d/d.conf").read_text() == "a = 2\n"
    result = apply(systemd, daemon(tmp_path, "a = 2\n"))
    assert result["actions"] == ["restart d.service (/etc/d/d.conf)"]
    assert not apply(systemd, daemon(tmp_path, "a = 2\n"))["changed"]
    assert sorted(p.name for p in (tmp_path / "etc/d").iterdir()) == ["d.conf"]


def test_daemon_that_refuses_gets_its_former_configuration_back(tmp_path: Path, systemd: Systemd) -> None:
    apply(systemd, daemon(tmp_path))
    systemd.dies.add("d.service")
    with pytest.raises(ConfigError, match="former configuration was put back"):
        apply(systemd, daemon(tmp_path, "a = 2\n"))
    assert (tmp_path / "etc/d/d.conf").read_text() == "a = 1\n"
    assert "d.service" in systemd.active
    assert not apply(systemd, daemon(tmp_path))["changed"]


def test_exclusive_folder_loses_strangers_and_absent_paths_go(tmp_path: Path, systemd: Systemd) -> None:
    (tmp_path / "etc/d/sub").mkdir(parents=True)
    (tmp_path / "etc/d/sub/stranger").write_text("x")
    (tmp_path / "etc/d/local.conf").write_text("x")
    (tmp_path / "etc/old").write_text("x")
    parameters = daemon(tmp_path, absent=["/etc/old"], keep=["/etc/d/local.*"])
    result = apply(systemd, parameters)
    assert set(result["paths"]) >= {"/etc/d/sub", "/etc/old"}
    assert sorted(p.name for p in (tmp_path / "etc/d").iterdir()) == ["d.conf", "local.conf"]
    (tmp_path / "etc/d/stranger").write_text("x")
    assert apply(systemd, parameters)["actions"] == ["restart d.service (/etc/d/stranger)"]


def test_removed_file_restarts_its_daemon(tmp_path: Path, systemd: Systemd) -> None:
    parameters = daemon(tmp_path)
    extra = {**parameters["files"][0], "path": "/etc/d/e.conf"}
    apply(systemd, {**parameters, "files": [*parameters["files"], extra]})
    result = apply(systemd, parameters)
    assert not (tmp_path / "etc/d/e.conf").exists()
    assert result["actions"] == ["restart d.service (/etc/d/e.conf)"]


def test_reload_files_only_reload(tmp_path: Path, systemd: Systemd) -> None:
    def parameters(zone: str, conf: str = "c") -> dict[str, Any]:
        return wanted(
            tmp_path,
            files=[{"path": "/etc/k/k.conf", "content": conf}, {"path": "/var/k/z.zone", "content": zone}],
            services=[{"name": "k", "reload_files": ["/var/k/*"], "reload_command": "knotc zone-reload"}],
        )

    apply(systemd, parameters("1"))
    assert apply(systemd, parameters("2"))["actions"] == ["reload k.service (/var/k/z.zone)"]
    assert ["knotc", "zone-reload"] in systemd.calls
    assert apply(systemd, parameters("2", "d"))["actions"] == ["restart k.service (/etc/k/k.conf)"]


def test_watched_and_included_files_of_others(tmp_path: Path, systemd: Systemd) -> None:
    parameters = daemon(tmp_path, includes=["/etc/local/d"], validate=["cat /etc/d/d.conf"])
    parameters["services"][0]["watch"] = ["/etc/certificates/*/fullchain.pem"]
    apply(systemd, parameters)
    certificate = tmp_path / "etc/certificates/default/fullchain.pem"
    certificate.parent.mkdir(parents=True)
    certificate.write_text("new")
    assert apply(systemd, parameters)["actions"] == [
        "reload d.service (/etc/certificates/default/fullchain.pem)"
    ]
    (tmp_path / "etc/local/d/mine.conf").write_text("b = 1\n")
    result = apply(systemd, parameters)
    assert result["actions"] == ["reload d.service (/etc/local/d/mine.conf)"]
    assert any(c[0] == "cat" for c in systemd.calls)
    assert not apply(systemd, parameters)["changed"]


def test_an_include_that_no_reload_reads_restarts(tmp_path: Path, systemd: Systemd) -> None:
    parameters = daemon(tmp_path, includes=["/etc/local/d"])
    parameters["services"][0] |= {"watch": ["/etc/certificates/*/fullchain.pem"], "on_include": "restart"}
    apply(systemd, parameters)
    certificate = tmp_path / "etc/certificates/default/fullchain.pem"
    certificate.parent.mkdir(parents=True)
    certificate.write_text("new")
    assert apply(systemd, parameters)["actions"] == [
        "reload d.service (/etc/certificates/default/fullchain.pem)"
    ]
    (tmp_path / "etc/local/d/mine.conf").write_text("b = 1\n")
    assert apply(systemd, parameters)["actions"] == ["restart d.service (/etc/local/d/mine.conf)"]


def test_unit_file_reloads_systemd_first(tmp_path: Path, systemd: Systemd) -> None:
    parameters = wanted(
        tmp_path,
        files=[{"path": "/etc/systemd/system/d.service", "content": "[Service]\n"}],
        services=[{"name": "d", "enabled": True}],
    )
    apply(systemd, parameters)
    assert systemd.verbs() == ["enable d.service", "daemon-reload", "start d.service"]
    systemd.stale.add("d.service")
    assert apply(systemd, parameters)["actions"] == ["reload systemd (d.service)"]


def test_secret_never_in_the_result(tmp_path: Path, systemd: Systemd) -> None:
    parameters = daemon(tmp_path, "key = hunter2\n")
    parameters["files"][0]["secret"] = True
    assert "hunter2" not in repr(apply(systemd, parameters))
    parameters = daemon(tmp_path, "key = hunter3\n")
    parameters["files"][0]["secret"] = True
    result = apply(systemd, parameters)
    assert "hunter" not in repr(result)
    assert result["paths"] == ["/etc/d/d.conf"]


def test_mode_alone_is_a_change(tmp_path: Path, systemd: Systemd) -> None:
    apply(systemd, daemon(tmp_path))
    (tmp_path / "etc/d/d.conf").chmod(0o644)
    assert apply(systemd, daemon(tmp_path))["paths"] == ["/etc/d/d.conf"]
    assert stat.S_IMODE((tmp_path / "etc/d/d.conf").stat().st_mode) == 0o640


def test_seed_is_written_once(tmp_path: Path, systemd: Systemd) -> None:
    parameters = wanted(tmp_path, files=[{"path": "/etc/local/x", "content": "# yours\n", "seed": True}])
    assert apply(systemd, parameters)["changed"]
    (tmp_path / "etc/local/x").write_text("mine\n")
    (tmp_path / "etc/local/x").chmod(0o660)
    assert not apply(systemd, parameters)["changed"]


def test_large_file_travels_once(tmp_path: Path, systemd: Systemd) -> None:
    data = os.urandom(100)
    digest = hashlib.sha256(data).hexdigest()
    parameters = wanted(tmp_path, files=[{"path": "/usr/bin/x", "sha256": digest, "mode": "0755"}])
    assert apply(systemd, parameters) == {"changed": False, "needs": [digest]}
    assert apply(systemd, parameters, check=True)["changed"]
    (tmp_path / "upload").write_bytes(data)
    assert apply(systemd, {**parameters, "transfers": {digest: str(tmp_path / "upload")}})["changed"]
    assert (tmp_path / "usr/bin/x").read_bytes() == data
    assert not apply(systemd, parameters)["changed"]


def test_binary_content_and_links(tmp_path: Path, systemd: Systemd) -> None:
    data = bytes(range(256))
    parameters = wanted(
        tmp_path,
        files=[{"path": "/a/b", "base64": base64.b64encode(data).decode()}],
        links=[{"path": "/a/c", "target": "b"}],
    )
    apply(systemd, parameters)
    assert (tmp_path / "a/c").read_bytes() == data
    assert not apply(systemd, parameters)["changed"]
    (tmp_path / "a/c").unlink()
    (tmp_path / "a/c").symlink_to("elsewhere")
    assert apply(systemd, parameters)["paths"] == ["/a/c"]


def test_commands_run_when_their_files_changed_or_their_check_fails(tmp_path: Path, systemd: Systemd) -> None:
    def parameters(value: str) -> dict[str, Any]:
        return wanted(
            tmp_path,
            files=[{"path": "/etc/s.conf", "content": value}],
            commands=[{"name": "sysctl", "run": "sysctl --load /etc/s.conf", "check": "isset"}],
        )

    assert apply(systemd, parameters("1"))["actions"] == ["run `sysctl --load /etc/s.conf` (/etc/s.conf)"]
    assert not apply(systemd, parameters("1"))["changed"]
    systemd.refuse["isset"] = ""
    assert apply(systemd, parameters("1"), check=True)["actions"] == [
        "would run `sysctl --load /etc/s.conf` (its check)"
    ]
    systemd.refuse["sysctl"] = "no such key"
    with pytest.raises(ConfigError, match="no such key"):
        apply(systemd, parameters("2"))
    systemd.refuse.clear()
    assert apply(systemd, parameters("2"))["actions"] == ["run `sysctl --load /etc/s.conf` (/etc/s.conf)"]


def test_stopped_and_disabled(tmp_path: Path, systemd: Systemd) -> None:
    systemd.active.add("d.service")
    systemd.enabled.add("d.service")
    parameters = wanted(tmp_path, services=[{"name": "d", "enabled": False, "state": "stopped"}])
    apply(systemd, parameters)
    assert systemd.verbs() == ["disable d.service", "daemon-reload", "stop d.service"]
    assert not apply(systemd, parameters)["changed"]


def test_all_are_enabled_at_once_and_started_at_once(tmp_path: Path, systemd: Systemd) -> None:
    systemd.enabled.add("c.timer")
    found = apply(
        systemd,
        wanted(
            tmp_path,
            services=[
                {"name": "a", "enabled": True},
                {"name": "b.socket", "enabled": True},
                {"name": "c.timer", "enabled": False, "state": "stopped"},
            ],
        ),
    )
    assert systemd.verbs() == [
        "enable a.service b.socket", "disable c.timer", "daemon-reload", "start a.service b.socket",
    ]  # fmt: skip
    assert found["actions"][:3] == ["enable a.service", "enable b.socket", "disable c.timer"]


def test_a_mask_is_told_at_once(tmp_path: Path, systemd: Systemd) -> None:
    apply(systemd, wanted(tmp_path, services=[{"name": "d", "masked": True, "state": "stopped"}]))
    assert systemd.verbs() == ["mask d.service", "daemon-reload"]


@pytest.mark.parametrize(("kind", "pause"), [("simple", 0.4), ("forking", 0.0), ("notify", 0.0)])
def test_waits_only_for_what_does_not_say_when_it_is_ready(
    tmp_path: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch, kind: str, pause: float
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(daemons.time, "sleep", slept.append)
    systemd.type = kind
    apply(systemd, daemon(tmp_path))
    assert slept == [pause]


def test_packages_are_installed_only_when_missing(tmp_path: Path) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    calls: list[list[str]] = []

    def answer(argv: list[str], timeout: float = 90) -> tuple[int, str]:
        calls.append(argv)
        if argv[0] == "dpkg-query":
            return 1, "nginx installed\nknot config-files\ndpkg-query: no packages found matching lego\n"
        assert (tmp_path / "usr/sbin/policy-rc.d").exists(), "no daemon starts before it is configured"
        return 0, ""

    config = module.Config(wanted(tmp_path, packages=["nginx", "knot", "lego"]))
    config.run_command = answer
    assert config.apply()["actions"] == ["install knot lego"]
    assert next(c for c in calls if "install" in c)[-2:] == ["knot", "lego"]
    assert not (tmp_path / "usr/sbin/policy-rc.d").exists()


def test_command_of_no_file_runs_only_when_its_check_fails(tmp_path: Path, systemd: Systemd) -> None:
    command = {"name": "filter", "run": "nft -f /etc/nftables.conf", "check": "nftcheck", "files": []}
    parameters = wanted(tmp_path, commands=[command])
    assert not apply(systemd, parameters)["changed"]
    systemd.refuse["nftcheck"] = "no table"
    assert apply(systemd, parameters)["actions"] == ["run `nft -f /etc/nftables.conf` (its check)"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_disk_that_is_really_full(tmp_path: Path, systemd: Systemd) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        apply(systemd, daemon(disk))
        with pytest.raises(ConfigError, match=r"No space left on device.*nothing was replaced"):
            apply(systemd, daemon(disk, "x" * 100_000))
        assert (disk / "etc/d/d.conf").read_text() == "a = 1\n"
        assert [p.name for p in (disk / "etc/d").iterdir()] == ["d.conf"]
        assert systemd.verbs() == []
        assert apply(systemd, daemon(disk, "a = 3\n"))["actions"] == ["restart d.service (/etc/d/d.conf)"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)

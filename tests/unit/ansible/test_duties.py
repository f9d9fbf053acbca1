"""Each host goes through its own roles, in their order, whatever the others have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROLES = {"h1": ["a", "d"], "h2": ["a", "b", "c", "d"], "h3": ["b", "d"], "h4": ["c"]}


@pytest.fixture
def run(tmp_path: Path):
    """Run the tasks of site.yml's own plays over hosts of ours; each host's roles as they came, by host."""
    text = (ROOT / "playbooks/site.yml").read_text()
    play = text[text.index("- name: Routers") : text.index("\n# Partners")]
    play = play.replace("role_firewall:role_dns:role_lab_world", "all")
    text = play.replace("[firewall, dns, lab_world]", "[a, b, c, d]")
    (tmp_path / "site.yml").write_text(text)
    for role in "abcd":
        folder = tmp_path / "roles" / role / "tasks"
        folder.mkdir(parents=True)
        task = f"- name: Do\n  ansible.builtin.shell: echo {role} >>{tmp_path}/{{{{ inventory_hostname }}}}\n"
        (folder / "main.yml").write_text(task)
    hosts = "".join(f"{host} edgewright_roles='{roles}'\n" for host, roles in ROLES.items())
    (tmp_path / "hosts").write_text(
        f"{hosts}[all:vars]\nansible_connection=local\nansible_python_interpreter={sys.executable}\n"
    )
    (tmp_path / "ansible.cfg").write_text(
        f"[defaults]\nfilter_plugins = {ROOT}/plugins/filter\nforks = 8\nlocal_tmp = {tmp_path}/tmp\n"
    )

    def once(*arguments: str) -> dict[str, list[str]]:
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts", "site.yml", *arguments]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        done = subprocess.run(argv, cwd=tmp_path, env=kept, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return {host: (tmp_path / host).read_text().split() for host in ROLES if (tmp_path / host).exists()}

    return once


def test_in_order(run) -> None:
    assert run() == ROLES


def test_tags_choose_roles(run) -> None:
    assert run("--tags", "b,d") == {"h1": ["d"], "h2": ["b", "d"], "h3": ["b", "d"]}


def test_tags_skip_roles(run) -> None:
    assert run("--skip-tags", "a,d") == {"h2": ["b", "c"], "h3": ["b"], "h4": ["c"]}

"""Debian packages."""

from __future__ import annotations

import os

from ansible.module_utils.edgewright.host import ConfigError, Host

POLICY = "/usr/sbin/policy-rc.d"
APT = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]


class Packages(Host):
    """The host's packages."""

    def install_packages(self) -> None:
        """Install what is missing; the package lists are fetched only then, since many hosts reach no mirror.

        Daemons do not start before they are configured.
        """
        wanted = self.params.get("packages") or []
        if not wanted:
            return
        said = self.run_command(["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\\n", *wanted])[1]
        present = {line.split()[0] for line in said.splitlines() if line.endswith(" installed")}
        missing = sorted(set(wanted) - present)
        if not missing:
            return
        self.act("install " + " ".join(missing), [])
        if self.check:
            return
        quiet = not os.path.lexists(self.at(POLICY))
        if quiet:
            self.write_script(POLICY, "#!/bin/sh\nexit 101\n")
        try:
            for argv in ([*APT, "update"], [*APT, "install", "-y", "--no-install-recommends", *missing]):
                code, said = self.run_command(argv, timeout=900)
                if code:
                    raise ConfigError(f"`{' '.join(argv)}` failed (exit {code}):\n{said.strip()[-3000:]}")
        finally:
            if quiet:
                self.remove(self.at(POLICY))

    def write_script(self, path: str, text: str) -> None:
        """A small program."""
        with open(self.at(path), "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(self.at(path), 0o755)  # noqa: S103 - a program

"""Real SIP clients of Debian on a vantage: baresip and linphonec, driven as a user drives them.

Their files (with the password) lie in a folder of the vantage that only root may read, for as long as the
client runs; nothing secret is in arguments. What they say and show of SIP is the transcript.
"""

from __future__ import annotations

import io
import json
import re
import secrets
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from typing import ClassVar

TRUST = "/etc/edgewright/trust/outside.pem"
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class Client:
    """A client that is signed in, or about to be.

    Args:
        ssh: The deployment's ssh_config.
        host: The vantage.
        user: Address of record.
        password: Its password.
        friend: Address of the one contact.
        server: Name of the Access Edge.
    """

    program: ClassVar[str]

    def __init__(self, ssh: Path, host: str, user: str, password: str, friend: str, server: str) -> None:
        self.host, self.user, self.friend, self.server = host, user, friend, server
        self._ssh = ["ssh", "-F", str(ssh), "-o", "BatchMode=yes", host]
        self.folder = f"/run/edgewright-client-{secrets.token_hex(6)}"
        self._place(self.files(password))
        self._changed = threading.Condition()
        self.said: list[str] = []
        command = f"echo $$ >{self.folder}/pid; export HOME={self.folder}; exec {self.command()}"
        self._process = subprocess.Popen(
            [*self._ssh, command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        )  # fmt: skip
        threading.Thread(target=self._listen, daemon=True).start()

    def files(self, password: str) -> dict[str, str]:
        """Its configuration, by path below its folder."""
        raise NotImplementedError

    def command(self) -> str:
        """How it is started."""
        raise NotImplementedError

    def _place(self, files: dict[str, str]) -> None:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as bundle:
            for path, text in files.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(text.encode())
                bundle.addfile(entry, io.BytesIO(text.encode()))
        make = f"umask 077 && mkdir -p {self.folder} && tar -x -C {self.folder}"
        subprocess.run([*self._ssh, make], input=made.getvalue(), check=True, capture_output=True, timeout=20)

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._changed:
                self.said.append(ESCAPES.sub("", line.rstrip("\n")))
                self._changed.notify_all()

    def expect(self, pattern: str, timeout: float = 20) -> str:
        """The first line so far, or within `timeout` seconds, that matches.

        Raises:
            AssertionError: none does.
        """
        compiled = re.compile(pattern)
        with self._changed:
            if self._changed.wait_for(lambda: any(map(compiled.search, self.said)), timeout):
                return next(line for line in self.said if compiled.search(line))
        raise AssertionError(f"{self.program} on {self.host} never said {pattern!r}:\n{self.transcript()}")

    def run(self, command: str, stdin: str = "") -> str:
        """A command on the vantage; its output."""
        done = subprocess.run(
            [*self._ssh, command], input=stdin, check=False, capture_output=True, text=True, timeout=30
        )
        return done.stdout

    def say(self, text: str) -> None:
        """A line on its standard input."""
        assert self._process.stdin
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def signed_in(self) -> None:
        """Wait until it says so."""
        raise NotImplementedError

    def sees_friend(self) -> None:
        """Wait until it shows its contact as online."""
        raise NotImplementedError

    def message(self, text: str) -> None:
        """Send a message to its contact."""
        raise NotImplementedError

    def received(self, text: str) -> None:
        """Wait for a message from its contact."""
        raise NotImplementedError

    def leave(self) -> None:
        """Sign out and end."""
        raise NotImplementedError

    def transcript(self) -> str:
        """Everything it said; credentials blotted out."""
        with self._changed:
            text = "\n".join(self.said)
        return re.sub(r'(response|cnonce|passwd)="?[^",;\s]+"?', r"\1=*", text)

    def close(self) -> None:
        """End it, and leave nothing behind."""
        try:
            self.leave()
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            pass
        finally:
            self._process.kill()
            self.run(f"kill $(cat {self.folder}/pid) 2>/dev/null; rm -rf {self.folder}")


class Baresip(Client):
    """baresip 1.1: over the one family that its vantage has, with outbound (RFC 5626), digest MD5."""

    program = "baresip"
    PORT = 4444

    def files(self, password: str) -> dict[str, str]:
        """config, accounts, contacts."""
        modules = [
            "uuid",
            "g711",
            *(f"_app {name}" for name in ("account", "contact", "menu", "presence", "ctrl_tcp")),
        ]
        config = [f"sip_cafile {TRUST}", "sip_verify_server yes", "module_path /usr/lib/baresip/modules"]
        config += [f"module{name if name.startswith('_') else ' ' + name}.so" for name in modules]
        config += [f"ctrl_tcp_listen 127.0.0.1:{self.PORT}"]
        account = (
            f"<sip:{self.user};transport=tls>;auth_user={self.user.partition('@')[0]};auth_pass={password};"
            f'outbound="sip:{self.server}:443;transport=tls";sipnat=outbound;regint=120;pubint=120;audio_codecs=pcmu'
        )
        contact = f'"friend" <sip:{self.friend}>;presence=p2p'
        return {"config": "\n".join(config) + "\n", "accounts": account + "\n", "contacts": contact + "\n"}

    def command(self) -> str:
        """With a trace of its SIP messages."""
        return f"stdbuf -oL baresip -f {self.folder} -v -s"

    def control(self, command: str, argument: str = "") -> str:
        """A command of its menu, and what it answers."""
        asked = json.dumps({"command": command, "params": argument})
        ask = (
            "import socket\n"
            f"s = socket.create_connection(('127.0.0.1', {self.PORT}), 5)\n"
            f"d = {asked!r}.encode()\n"
            "s.sendall(b'%d:%s,' % (len(d), d))\n"
            "print(s.recv(65536).decode())\n"
        )
        answer = ESCAPES.sub("", self.run("python3 -I -", ask).replace("\\u001B", "\x1b"))
        with self._changed:
            self.said.append(f"> /{command} {argument}\n{answer}")
        return answer

    def _until(self, command: str, pattern: str, seconds: float = 25) -> None:
        deadline = time.monotonic() + seconds
        while not re.search(pattern, answer := self.control(command)):
            assert time.monotonic() < deadline, f"{pattern!r} is not in {answer}\n{self.transcript()}"
            time.sleep(1)

    def signed_in(self) -> None:
        """Its list of registrations says OK."""
        self.expect("baresip is ready")
        self._until("reginfo", r"OK\s+Expires")

    def sees_friend(self) -> None:
        """Its list of contacts says Online."""
        self._until("contacts", r"Online\s+friend")

    def message(self, text: str) -> None:
        """To the current contact."""
        self.control("message", text)

    def received(self, text: str) -> None:
        """In the trace."""
        self.expect(f"^{re.escape(text)}$")

    def leave(self) -> None:
        """Signs out by itself."""
        self.control("quit")


class Linphone(Client):
    """linphonec 5.3: no outbound, digest SHA-256, a list of friends with presence."""

    program = "linphonec"

    def files(self, password: str) -> dict[str, str]:
        """linphonerc, and the folder without which it does not start."""
        name, _, domain = self.user.partition("@")
        server = f"<sip:{self.server}:443;transport=tls>"
        sections = {
            "sip": {
                "sip_port": -1, "sip_tcp_port": -1, "sip_tls_port": -1, "root_ca": TRUST,
                "verify_server_certs": 1, "verify_server_cn": 1, "default_proxy": 0,
                "use_ipv6": int(self.host.endswith("6")), "handle_content_encoding": "none",
            },
            "net": {"dns_srv_enabled": 0},
            "proxy_0": {
                "reg_proxy": server, "reg_route": server, "reg_identity": f"sip:{self.user}",
                "reg_expires": 300, "reg_sendregister": 1, "publish": 1,
            },
            "auth_info_0": {"username": name, "passwd": password, "realm": domain, "domain": domain},
            "friend_0": {"url": f'"friend" <sip:{self.friend}>', "pol": "accept", "subscribe": 1},
            "misc": {"store_friends": 0},
        }  # fmt: skip
        lines = [
            line
            for section, values in sections.items()
            for line in (f"[{section}]", *(f"{key}={value}" for key, value in values.items()))
        ]
        return {"rc": "\n".join(lines) + "\n", ".local/share/linphone/.keep": ""}

    def command(self) -> str:
        """With a log of its SIP messages.

        Each 5 s it looks whether there is a way to an address in the Internet, and leaves when there is none.
        """
        self.run(self._way("add"))
        return f"stdbuf -oL linphonec -C -d 6 -l {self.folder}/log -c {self.folder}/rc"

    def signed_in(self) -> None:
        """Its log has the 200 to REGISTER."""
        deadline = time.monotonic() + 25
        while "Register refresher [200]" not in self.run(f"cat {self.folder}/log"):
            assert time.monotonic() < deadline, f"not signed in:\n{self.transcript()}"
            time.sleep(1)

    def sees_friend(self) -> None:
        """It says so."""
        self.expect(r'Friend "friend" .* is Online')

    def message(self, text: str) -> None:
        """By its command."""
        self.say(f"chat sip:{self.friend} {text}")

    def received(self, text: str) -> None:
        """It says so."""
        self.expect(rf"Message received from .*: {re.escape(text)}")

    def _way(self, change: str) -> str:
        """A default route of the one family that the vantage has: `add` or `del`."""
        ip = f"ip -{self.host[-1]} route"
        device = rf"{ip} | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1"
        return f"{ip} {change} default dev $({device}) metric 9999"

    def leave(self) -> None:
        """Signs out by itself."""
        self.say("quit")

    def close(self) -> None:
        """The same, and the way to the Internet is taken away."""
        super().close()
        self.run(self._way("del"))

    def transcript(self) -> str:
        """What it said, then the SIP messages of its log."""
        log = self.run(f"cat {self.folder}/log 2>/dev/null")
        wanted = re.compile(r"^\d{4}-\d\d-\d\d .*-(message|warning|error)-")
        shown = "\n".join(line for line in log.splitlines() if not wanted.match(line))
        said = super().transcript()
        return said + "\n\n" + re.sub(r'(response|cnonce|nonce)="[^"]+"', r'\1="*"', shown)

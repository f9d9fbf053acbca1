"""`edgewright_certificates`: bring the slots of a host to what the plan wants.

One module run when all is well. Keys are made on the host, except those that a pool shares: these are made on
the controller and kept there encrypted. The own CA signs requests here; ACME orders are made by the host.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from edgewright import authority, flaws, slots
from edgewright.model import credentials
from edgewright.model.files import write_private

ARGUMENTS = {"slots", "renew_before_days", "authority"}


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's side."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Inspect, decide, act."""
        self._variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, self._variables)
        given = self._task.args
        if set(given) - ARGUMENTS:
            raise AnsibleActionFail(f"edgewright_certificates: unknown {sorted(set(given) - ARGUMENTS)}")
        self._state = Path(str(self._variables["edgewright_state"]))
        self._password = credentials.vault_password()
        name = str(given.get("authority") or "inside")
        title = f"{self._variables['edgewright_deployment']} {name} CA"
        self._authority = authority.Authority(self._state / "ca" / name, title, self._password)
        self._days = int(given.get("renew_before_days") or 30)
        self._actions: list[str] = []
        wanted = {str(slot["name"]): dict(slot) for slot in given.get("slots") or []}
        try:
            self._bring(wanted)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        result.update(changed=bool(self._actions), actions=self._actions)
        if self._actions:
            result["msg"] = "; ".join(self._actions)
            result["diff"] = [{"prepared": "\n".join(self._actions) + "\n"}]
        return result

    # -- the host ------------------------------------------------------------------------

    def _ask(self, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Run the module.

        Raises:
            AnsibleActionFail: the host says what is wrong.
        """
        arguments = {"verb": verb, "asked": asked}
        returned = self._execute_module("edgewright_certificates", arguments, task_vars=self._variables)
        if returned.get("failed") or returned.get("unreachable") or "answer" not in returned:
            raise AnsibleActionFail(
                f"{returned.get('msg', 'no answer')} {returned.get('module_stderr', '')}".strip()
            )
        answer: dict[str, Any] = returned["answer"]
        return answer

    def _bring(self, wanted: dict[str, dict[str, Any]]) -> None:
        """All slots of this host."""
        for slot in wanted.values():
            if slot["source"] == "files":
                self._read_files(slot)
        found = self._ask("inspect", {"slots": {n: {"group": s["group"]} for n, s in wanted.items()}})
        strangers = found["strangers"]
        for name in strangers:
            self._act(f"remove slot {name}")
        for name, slot in wanted.items():
            self._slot(name, slot, found["slots"].get(name) or {})
        if strangers and not self._task.check_mode:
            self._ask("install", {"remove": strangers})

    def _act(self, what: str) -> None:
        """Note an action."""
        self._actions.append(("would " if self._task.check_mode else "") + what)

    # -- one slot ------------------------------------------------------------------------

    def _slot(self, name: str, slot: dict[str, Any], found: dict[str, Any]) -> None:
        """See what is wrong with a slot and put it right."""
        if slot["source"] == "files":
            self._bring_files(name, slot, found)
        elif slot.get("flaw"):
            self._bring_flawed(name, slot, found)
        elif slot.get("shared"):
            self._bring_shared(name, slot, found)
        else:
            because = self._wrong(slot, found.get("fullchain"), found.get("key"))
            if because:
                self._act(f"{self._verb(slot)} {name} ({because})")
                if not self._task.check_mode:
                    self._replace(name, slot, because)
            elif not found.get("modes"):
                self._repair(name, slot)

    @staticmethod
    def _verb(slot: dict[str, Any]) -> str:
        return "order" if slot["source"] == "acme" else "issue"

    def _wrong(self, slot: dict[str, Any], chain: str | None, key: str | None) -> str | None:
        now = dt.datetime.now(dt.UTC)
        return slots.wrong(slot, chain, key, now, self._days, self._authority)

    def _entry(self, slot: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {**{k: slot[k] for k in ("group", "key_type", "subject", "sans")}, **more}

    def _replace(self, name: str, slot: dict[str, Any], because: str) -> None:
        """A new certificate for a key that never leaves its host."""
        if slot["source"] == "acme":
            self._ask("order", {"slots": {name: {}}})
            return
        entry = self._entry(slot, new_key=because.startswith("its key should be"))
        request = self._ask("request", {"slots": {name: entry}})["requests"][name]
        chain = self._sign(slot, request)
        self._ask("install", {"slots": {name: self._entry(slot, fullchain=chain)}})

    def _sign(self, slot: dict[str, Any], request: str) -> str:
        sans = list(dict.fromkeys([slot["subject"], *slot["sans"]]))
        return self._authority.sign(request, sans, slot["eku"]) + self._authority.pem

    def _repair(self, name: str, slot: dict[str, Any]) -> None:
        """Owner and mode of the key."""
        self._act(f"set the modes of slot {name}")
        if not self._task.check_mode:
            self._ask("install", {"slots": {name: self._entry(slot)}})

    # -- an impostor's --------------------------------------------------------------------

    def _bring_flawed(self, name: str, slot: dict[str, Any], found: dict[str, Any]) -> None:
        """A new key with each certificate: it is nobody's but this lab's."""
        now = dt.datetime.now(dt.UTC)
        title = f"{self._variables['edgewright_deployment']} strangers CA"
        stranger = authority.Authority(self._state / "ca" / "strangers", title, self._password)
        chain, digest = found.get("fullchain"), found.get("key")
        because = flaws.wrong(slot, chain, digest, now, self._authority, stranger)
        if because is None:
            if not found.get("modes"):
                self._repair(name, slot)
            return
        self._act(f"make {name} ({because})")
        if not self._task.check_mode:
            key = authority.make_key(slot["key_type"])
            chain = flaws.certify(slot, key, now, self._authority, stranger)
            entry = self._entry(slot, key=authority.key_text(key), fullchain=chain)
            self._ask("install", {"slots": {name: entry}})

    # -- shared by a pool ----------------------------------------------------------------

    def _bring_shared(self, name: str, slot: dict[str, Any], found: dict[str, Any]) -> None:
        """One key and one order for a pool: the host that comes first makes them, others wait and copy."""
        folder = self._state / "certificates" / str(slot["shared"])
        with authority.locked(folder):
            kept = _read(folder / "fullchain.pem")
            key = self._shared_key(folder, slot)
            digest = slots.key_digest(key.public_key()) if key else None
            here = found.get("fullchain")
            if found.get("key") == digest and not self._wrong(slot, here, digest):
                if _later(here, kept) and not self._task.check_mode:
                    write_private(folder / "fullchain.pem", here or "")  # the host renewed it
                    kept = here
                if not _later(kept, here):
                    if not found.get("modes"):
                        self._repair(name, slot)
                    return
            because = self._wrong(slot, kept, digest)
            if because is None:
                self._act(f"copy {name} (the pool's)")
            else:
                self._act(f"{self._verb(slot)} {name} ({because})")
            if self._task.check_mode or key is None:
                return
            text = authority.key_text(key)
            if because is None:
                self._ask("install", {"slots": {name: self._entry(slot, key=text, fullchain=kept)}})
                return
            if slot["source"] == "acme":
                self._ask("install", {"slots": {name: self._entry(slot, key=text)}})
                chain = self._ask("order", {"slots": {name: {}}})["chains"][name]
            else:
                chain = self._sign(slot, authority.request_for(key, slot["sans"]))
                self._ask("install", {"slots": {name: self._entry(slot, key=text, fullchain=chain)}})
            write_private(folder / "fullchain.pem", chain)

    def _shared_key(self, folder: Path, slot: dict[str, Any]) -> authority.PrivateKey | None:
        """The pool's key, made if it is missing or of another kind; None in check mode without one."""
        path = folder / f"privkey-{slot['key_type']}.pem"
        if path.exists():
            return authority.load_key(path.read_bytes(), self._password)
        if self._task.check_mode:
            return None
        key = authority.make_key(slot["key_type"])
        write_private(path, authority.key_text(key, self._password))
        return key

    # -- brought by the operator ---------------------------------------------------------

    def _read_files(self, slot: dict[str, Any]) -> None:
        """The operator's files; the key may be vaulted."""
        files = slot["files"]
        slot["key"] = Path(self._loader.get_real_file(files["key"], decrypt=True)).read_text(encoding="ascii")
        parts = [Path(files["certificate"]).read_text(encoding="ascii")]
        parts += [Path(files["chain"]).read_text(encoding="ascii")] if files.get("chain") else []
        found = slots.parse("".join(parts))
        public = authority.load_key(slot["key"].encode()).public_key()
        if not found or slots.key_digest(found[0].public_key()) != slots.key_digest(public):
            raise AnsibleActionFail(f"{files['certificate']}: not the certificate of {files['key']}")
        slot["fullchain"] = "".join(slots.text(found))
        slot["digest"] = slots.key_digest(public)

    def _bring_files(self, name: str, slot: dict[str, Any], found: dict[str, Any]) -> None:
        """Copy them where they differ."""
        same = slots.parse(found.get("fullchain")) == slots.parse(slot["fullchain"])
        if same and found.get("key") == slot["digest"]:
            if not found.get("modes"):
                self._repair(name, slot)
            return
        self._act(f"copy {name} (the operator's files)")
        if not self._task.check_mode:
            entry = self._entry(slot, key=slot["key"], fullchain=slot["fullchain"])
            self._ask("install", {"slots": {name: entry}})


def _read(path: Path) -> str | None:
    return path.read_text(encoding="ascii") if path.exists() else None


def _later(one: str | None, other: str | None) -> bool:
    """Whether the first chain's certificate is another one and ends later."""
    left, right = slots.parse(one), slots.parse(other)
    if not left or not right:
        return bool(left)
    return left[0] != right[0] and left[0].not_valid_after_utc > right[0].not_valid_after_utc

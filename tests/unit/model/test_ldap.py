"""Users and groups from a real OpenLDAP server (Debian's slapd) on loopback, with Lync's attributes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edgewright import cli
from edgewright.model import credentials, ldap_source, load
from edgewright.model.findings import InputErrors
from edgewright.model.ldap import LdapDirectory, understand
from edgewright.model.resolve import effective

ROOT = Path(__file__).parents[3]
MANY = 2300
"""More than two pages, and than OpenLDAP's usual limit."""

SCHEMA = """
attributetype ( 1.3.6.1.4.1.55555.1.1 NAME 'msRTCSIP-PrimaryUserAddress' EQUALITY caseIgnoreMatch
  SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.55555.1.2 NAME 'msRTCSIP-UserEnabled'
  EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.55555.1.3 NAME 'userAccountControl'
  EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.55555.1.4 NAME 'sipPolicy'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.55555.1.5 NAME 'sipMd5'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.55555.1.6 NAME 'sipSha256'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 1.3.6.1.4.1.55555.2.1 NAME 'lyncUser' SUP top AUXILIARY
  MAY ( msRTCSIP-PrimaryUserAddress $ msRTCSIP-UserEnabled $ userAccountControl
        $ sipPolicy $ sipMd5 $ sipSha256 ) )
"""

CONFIG = """
include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/inetorgperson.schema
include {folder}/lync.schema
modulepath {root}/usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
database mdb
suffix "dc=corp,dc=example"
rootdn "cn=admin,dc=corp,dc=example"
rootpw let-me-read
directory {folder}/data
maxsize 268435456
access to attrs=userPassword by * none
access to * by users read by anonymous auth
"""

TREE = """dn: dc=corp,dc=example
objectClass: dcObject
objectClass: organization
o: Corp
dc: corp

dn: ou=People,dc=corp,dc=example
objectClass: organizationalUnit
ou: People
"""


def person(name: str, *more: str) -> str:
    """One entry; whoever is not said to be disabled is enabled."""
    given = {line.partition(":")[0] for line in more}
    usual = {"msRTCSIP-UserEnabled": "TRUE", "userAccountControl": "512"}
    lines = [*more, *(f"{key}: {value}" for key, value in usual.items() if key not in given), ""]
    return (
        f"dn: cn={name},ou=People,dc=corp,dc=example\nobjectClass: inetOrgPerson\nobjectClass: lyncUser\n"
        f"cn: {name}\nsn: {name}\ndisplayName: {name.title()} Person\nuserPassword: never-to-be-read\n"
        f"msRTCSIP-PrimaryUserAddress: sip:{name.title()}@Contoso.Example\n" + "\n".join(lines)
    )


def group(name: str, *members: str) -> str:
    lines = "".join(f"member: {member}\n" for member in members)
    return f"dn: cn={name},dc=corp,dc=example\nobjectClass: groupOfNames\ncn: {name}\n{lines}"


def at(name: str) -> str:
    return f"CN={name.upper()}, ou=people,dc=corp,dc=example"


ENTRIES = [
    TREE,
    person("alice", "msRTCSIP-UserEnabled: TRUE", "userAccountControl: 512", "sipPolicy: no-partners"),
    person("bob", "userAccountControl: 514"),
    person("carol", "msRTCSIP-UserEnabled: FALSE"),
    person("dave", f"sipMd5: {'a' * 32}", f"sipSha256: {'b' * 64}"),
    "dn: cn=printer,ou=People,dc=corp,dc=example\nobjectClass: inetOrgPerson\ncn: printer\nsn: printer\n",
    group("everybody", "cn=sales,dc=corp,dc=example", at("carol"), "cn=printer,ou=People,dc=corp,dc=example"),
    group("sales", at("alice"), at("bob")),
]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def certificate(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem" if name == "cert" else folder / f"{name}-key.pem").write_bytes(private)


class Server:
    """slapd with a database of its own; it can be stopped and started."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.program = folder, root / "usr/sbin/slapd"
        libraries = ":".join(map(str, root.glob("usr/lib/*-linux-gnu*")))
        self.environment = os.environ | ({"LD_LIBRARY_PATH": libraries} if root != Path("/") else {})
        self.plain, self.secure = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "lync.schema").write_text(SCHEMA)
        (folder / "slapd.conf").write_text(CONFIG.format(folder=folder, root=str(root).rstrip("/")))
        certificate(folder, "cert")

    def fill(self, *entries: str) -> None:
        """Other contents; the server is stopped and started."""
        running = self.process is not None
        self.stop()
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        ldif = self.folder / "tree.ldif"
        ldif.write_text("\n".join(entries))
        argv = [self.program, "-T", "add", "-q", "-f", str(self.folder / "slapd.conf"), "-l", str(ldif)]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, env=self.environment)
        assert done.returncode == 0, done.stderr
        if running:
            self.start()

    def start(self) -> None:
        urls = f"ldap://127.0.0.1:{self.plain} ldaps://localhost:{self.secure}"
        argv = [self.program, "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h", urls]
        self.process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, env=self.environment)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", self.plain)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("slapd did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def slapd() -> Path:
    """The folder with usr/sbin/slapd; got from Debian where the machine has none; else the tests fail."""
    done = subprocess.run([ROOT / "tools/slapd"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture
def server(tmp_path: Path, slapd: Path) -> Iterator[Server]:
    folder = tmp_path / "slapd"
    folder.mkdir()
    found = Server(folder, slapd)
    found.fill(*ENTRIES)
    found.start()
    yield found
    found.stop()


Make = Callable[..., Path]


@pytest.fixture
def make(server: Server, tmp_path: Path, root: Path) -> Make:
    """A deployment whose users and groups are in the server."""
    (root / ".edgewright").mkdir()
    (root / ".edgewright/ldap-password").write_text("let-me-read\n")

    def write(url: str | None = None, **more: object) -> Path:
        folder = tmp_path / "contoso"
        folder.mkdir(exist_ok=True)
        for name in ("topology.yml", "policies.yml"):
            (folder / name).write_bytes((ROOT / "inventory/contoso" / name).read_bytes())
        (folder / "surroundings.yml").write_text("schema: 1\nworld: {host: world1}\n")
        (folder / "users.yml").write_text("schema: 1\n")
        source = {
            "schema": 1,
            "servers": [url or f"ldap://127.0.0.1:{server.plain}"],
            "bind": "cn=admin,dc=corp,dc=example",
            "users": {
                "base": "ou=People,dc=corp,dc=example",
                "filter": "(msRTCSIP-PrimaryUserAddress=*)",
                "policies": {"external_access": "sipPolicy"},
                "md5": "sipMd5",
                "sha256": "sipSha256",
            },
            "groups": {"base": "dc=corp,dc=example", "filter": "(objectClass=groupOfNames)"},
        }
        (folder / "ldap.yml").write_text(yaml.safe_dump(source | more))
        return folder

    return write


def test_users_groups_and_policies(make: Make) -> None:
    folder = make()
    done = ldap_source.refresh(folder)
    assert (done.users, done.groups, done.added, done.digests) == (4, 2, 4, 1)
    found = load(folder).directory
    assert {a: u.enabled for a, u in found.users.items()} == {
        "alice@contoso.example": True,
        "bob@contoso.example": False,
        "carol@contoso.example": False,
        "dave@contoso.example": True,
    }
    assert found.users["alice@contoso.example"].name == "Alice Person"
    assert found.groups == {
        "everybody": ("carol@contoso.example", "sales"),
        "sales": ("alice@contoso.example", "bob@contoso.example"),
    }
    assert effective(load(folder), "external_access", "alice@contoso.example")[1] == "user:no-partners"


def test_a_group_of_the_directory_is_granted_a_policy_in_users_yml(make: Make) -> None:
    folder = make()
    (folder / "users.yml").write_text(
        "schema: 1\ngroups: {all: [everybody]}\ngroup_policies: {all: {mobility: no-mobile}}\n"
    )
    ldap_source.refresh(folder)
    assert effective(load(folder), "mobility", "bob@contoso.example")[1] == "user:no-mobile"


def test_digests_go_into_the_encrypted_credentials_and_nothing_else_is_kept(make: Make, root: Path) -> None:
    folder = make()
    ldap_source.refresh(folder)
    kept = credentials.load(load(folder)).users
    assert kept == {"dave@contoso.example": credentials.Digest("a" * 32, "b" * 64)}
    for path in [*(root / ".edgewright").rglob("*"), *folder.rglob("*")]:
        if path.is_file():
            assert "never-to-be-read" not in path.read_text()
            assert "a" * 32 not in path.read_text()


def test_the_second_reading_says_what_changed(make: Make, server: Server) -> None:
    folder = make()
    ldap_source.refresh(folder)
    changed = [e for e in ENTRIES if "cn=dave" not in e]
    changed[1] = changed[1].replace("TRUE", "FALSE")
    server.fill(*changed, person("erin"))
    done = ldap_source.refresh(folder)
    assert (done.users, done.added, done.removed, done.changed) == (4, 1, 1, 1)


def test_the_server_is_down_and_the_last_good_directory_stays(make: Make, server: Server) -> None:
    folder = make()
    ldap_source.refresh(folder)
    before = load(folder)
    server.stop()
    with pytest.raises(ldap_source.LdapDownError, match=r"127\.0\.0\.1"):
        ldap_source.refresh(folder)
    assert load(folder).digest == before.digest
    assert ldap_source.last_good(folder)


def test_the_second_server_is_asked_where_the_first_is_down(make: Make, server: Server) -> None:
    folder = make(servers=[f"ldap://127.0.0.1:{free_port()}", f"ldap://127.0.0.1:{server.plain}"])
    assert ldap_source.refresh(folder).users == 4


def test_it_was_never_read(make: Make) -> None:
    with pytest.raises(InputErrors, match="never read; run `edgewright directory contoso`"):
        load(make())


def test_wrong_password(make: Make, root: Path) -> None:
    (root / ".edgewright/ldap-password").write_text("guess\n")
    with pytest.raises(ldap_source.LdapDownError, match="invalidCredentials"):
        ldap_source.refresh(make())


def test_tls_proves_the_server(make: Make, server: Server) -> None:
    folder = make(f"ldaps://localhost:{server.secure}", trust="trust.pem")
    shutil.copy(server.folder / "cert.pem", folder / "trust.pem")
    assert ldap_source.refresh(folder).users == 4
    certificate(server.folder, "other")
    shutil.copy(server.folder / "other.pem", folder / "trust.pem")
    with pytest.raises(ldap_source.LdapDownError, match=r"(?i)certificate"):
        ldap_source.refresh(folder)


def test_everything_wrong_is_told_at_once_and_nothing_is_applied(make: Make, server: Server) -> None:
    folder = make()
    ldap_source.refresh(folder)
    before = load(folder)
    server.fill(
        *ENTRIES,
        person("erin").replace("sip:Erin@Contoso.Example", "sip:Alice@contoso.example"),
        person("frank").replace("sip:Frank@Contoso.Example", "Frank Ford"),
        person("gina", "sipMd5: abc"),
    )
    with pytest.raises(InputErrors) as errors:
        ldap_source.refresh(folder)
    said = str(errors.value)
    assert "cn=erin" in said
    assert "alice@contoso.example, too" in said
    assert "cn=frank" in said
    assert "cn=gina" in said
    assert load(folder).digest == before.digest


def test_what_does_not_fit_the_deployment_is_not_applied(make: Make, server: Server) -> None:
    folder = make()
    ldap_source.refresh(folder)
    server.fill(
        *ENTRIES,
        person("erin").replace("Contoso.Example", "Other.Example"),
        person("frank", "sipPolicy: no-partnres"),
    )
    with pytest.raises(InputErrors, match=r"(?s)ldap\.yml:\d+: .*no SIP domain.*did you mean 'no-partners'"):
        ldap_source.refresh(folder)
    assert len(load(folder).directory.users) == 4


def test_a_user_in_two_sources(make: Make) -> None:
    folder = make()
    (folder / "users.yml").write_text("schema: 1\nusers: {bob@contoso.example: {name: Bob}}\n")
    with pytest.raises(InputErrors, match=r"user 'bob@contoso\.example' is in another file too"):
        ldap_source.refresh(folder)


def test_a_filter_that_finds_nobody_removes_nobody(make: Make) -> None:
    folder = make()
    ldap_source.refresh(folder)
    users = yaml.safe_load((folder / "ldap.yml").read_text())["users"]
    make(users=users | {"filter": "(cn=nobody)"})
    with pytest.raises(InputErrors, match="finds no user"):
        ldap_source.refresh(folder)
    assert len(load(folder).directory.users) == 4


def test_many_users_come_in_pages(make: Make, server: Server) -> None:
    server.fill(*ENTRIES, *(person(f"user{n}") for n in range(MANY)))
    assert ldap_source.refresh(make()).users == MANY + 4


def test_homes_are_translated() -> None:
    source = LdapDirectory.model_validate(
        {
            "servers": ["ldaps://dc1.corp.example"],
            "users": {"base": "x", "home": "H", "homes": {"one": "fe1.corp.example"}},
        }
    )

    def entry(n: int, home: str) -> tuple[str, dict[str, list[bytes]]]:
        return f"cn={n}", {"msrtcsip-primaryuseraddress": [b"u%d@x.example" % n], "h": [home.encode()]}

    found = understand(source, [entry(1, "one"), entry(2, "FE2.corp.example"), entry(3, "")])
    assert [user.home for user in found.users.values()] == ["fe1.corp.example", "fe2.corp.example", None]


def everybody(count: int) -> list[str]:
    return [TREE, *(person(f"user{n}") for n in range(count))]


def test_a_half_answer_takes_nobody_away(make: Make, server: Server) -> None:
    server.fill(*everybody(60))
    folder = make()
    ldap_source.refresh(folder)
    server.fill(*everybody(53))
    with pytest.raises(ldap_source.LossError, match=r"7 of 60 enabled users are gone.*--accept-loss"):
        ldap_source.refresh(folder)
    assert len(load(folder).directory.users) == 60
    assert ldap_source.refresh(folder, accept_loss=True).removed == 7
    assert len(load(folder).directory.users) == 53


def test_few_may_go_and_the_limit_can_be_moved(make: Make, server: Server) -> None:
    server.fill(*everybody(60))
    folder = make(largest_loss=20)
    ldap_source.refresh(folder)
    server.fill(*everybody(54))
    assert ldap_source.refresh(folder).removed == 6
    make(largest_loss=0)
    server.fill(*everybody(49))
    assert ldap_source.refresh(folder).removed == 5


def test_members_that_are_hidden_do_not_lose_their_grants(make: Make, server: Server) -> None:
    people = everybody(30)
    all_of_them = group("restricted", *(at(f"user{n}") for n in range(30)))
    server.fill(*people, all_of_them)
    folder = make()
    ldap_source.refresh(folder)
    server.fill(*people, group("restricted", at("user1")))
    with pytest.raises(ldap_source.LossError, match="29 of 30 members of groups"):
        ldap_source.refresh(folder)


def test_an_account_whose_state_cannot_be_read_is_disabled(make: Make, server: Server) -> None:
    without = person("erin").replace("msRTCSIP-UserEnabled: TRUE\n", "")
    other = person("frank").replace("userAccountControl: 512\n", "")
    server.fill(*ENTRIES, without, other)
    folder = make()
    ldap_source.refresh(folder)
    users = load(folder).directory.users
    assert [users[f"{name}@contoso.example"].enabled for name in ("alice", "erin", "frank")] == [
        True,
        False,
        False,
    ]


def test_nobody_enabled_is_an_error(make: Make) -> None:
    folder = make()
    users = yaml.safe_load((folder / "ldap.yml").read_text())["users"]
    make(users=users | {"enabled": "carLicense"})
    with pytest.raises(
        InputErrors, match="none of the 4 users found is enabled; may carLicense and userAccountControl"
    ):
        ldap_source.refresh(folder)
    make(users=users | {"enabled": None, "account_control": None})
    assert ldap_source.refresh(folder).users == 4


def test_a_digest_that_is_gone_lets_nobody_in(make: Make, server: Server) -> None:
    folder = make()
    ldap_source.refresh(folder)
    credentials.set_password(load(folder), "alice@contoso.example", "given by hand")
    server.fill(*(one for one in ENTRIES if "cn=dave" not in one), person("dave"))
    ldap_source.refresh(folder)
    assert credentials.load(load(folder)).users.keys() == {"alice@contoso.example"}


def test_groups_in_a_loop(make: Make, server: Server) -> None:
    loop = [group("one", "cn=two,dc=corp,dc=example"), group("two", "cn=ONE,dc=corp, dc=example")]
    server.fill(*ENTRIES, *loop)
    with pytest.raises(InputErrors, match=r"ldap\.yml:\d+: groups contain each other: one > two > one"):
        ldap_source.refresh(make())


def test_two_different_grants(make: Make, server: Server) -> None:
    folder = make()
    (folder / "users.yml").write_text(
        "schema: 1\ngroup_policies: {everybody: {external_access: inside-only}}\n"
    )
    with pytest.raises(InputErrors) as errors:
        ldap_source.refresh(folder)
    said = str(errors.value)
    assert "alice@contoso.example is granted more than one external_access policy" in said
    assert "no-partners (directly)" in said
    assert "inside-only (by group everybody)" in said


def test_two_groups_of_one_name(make: Make, server: Server) -> None:
    twice = "dn: cn=sales,ou=People,dc=corp,dc=example\nobjectClass: groupOfNames\ncn: sales\nmember: cn=x\n"
    server.fill(*ENTRIES, twice)
    with pytest.raises(InputErrors, match="another group is called sales, too"):
        ldap_source.refresh(make())


def test_a_group_that_cannot_be_named() -> None:
    source = LdapDirectory.model_validate(
        {"servers": ["ldaps://dc1.corp.example"], "users": {"base": "x"}, "groups": {"base": "x"}}
    )
    found = understand(source, [], [("cn=long", {"cn": [b"x" * 300]}), ("cn=none", {})])
    assert found.wrong[0].startswith("cn=long: cn 'xxx")
    assert "at most 250 characters" in found.wrong[0]
    assert found.wrong[1] == "cn=none: has no cn"


def test_the_command_line(
    make: Make, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str | Path) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["edgewright", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    folder = make()
    assert run("directory", folder) == (0, "directory: 4 users, 2 groups; 4 new, 0 changed, 0 removed\n")
    server.stop()
    code, said = run("directory", folder)
    assert code == 1
    assert said.startswith("WARNING: the directory cannot be read (ldap://127.0.0.1")
    assert "stay in force" in said
    code, said = run("apply", folder, "--policies")
    assert "WARNING: the directory cannot be read" in said
    assert "have not been provisioned" in said, "it went on with the last good directory"
    code, said = run("apply", folder, "--policies", "--offline")
    assert said.startswith("offline: users and groups as read 20")
    assert "WARNING" not in said
    (folder.parent / "root/.edgewright/contoso/directory.json").unlink()
    code, said = run("up", folder)
    assert code == 1
    assert said.startswith("the directory cannot be read (ldap://127.0.0.1")


def test_another_servers_certificate(make: Make, server: Server) -> None:
    folder = make(f"ldaps://127.0.0.1:{server.secure}", trust="trust.pem")
    shutil.copy(server.folder / "cert.pem", folder / "trust.pem")
    with pytest.raises(ldap_source.LdapDownError, match=r"(?i)certificate"):
        ldap_source.refresh(folder)


def test_interrupted_before_the_end_the_last_good_directory_stays(
    make: Make, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make()
    ldap_source.refresh(folder)
    before = load(folder).digest
    server.fill(*ENTRIES, person("erin", f"sipMd5: {'c' * 32}", f"sipSha256: {'d' * 64}"))
    kept = credentials.put_digests

    def killed(*given: object) -> bool:
        kept(*given)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(credentials, "put_digests", killed)
    with pytest.raises(KeyboardInterrupt):
        ldap_source.refresh(folder)
    assert load(folder).digest == before
    monkeypatch.undo()
    monkeypatch.setenv("EDGEWRIGHT_ROOT", str(folder.parent / "root"))
    assert ldap_source.refresh(folder).added == 1


def test_a_damaged_copy_is_read_anew(make: Make) -> None:
    folder = make()
    ldap_source.refresh(folder)
    kept = folder.parent / "root/.edgewright/contoso/directory.json"
    assert json.loads(kept.read_text())["digests"] == ["dave@contoso.example"]
    kept.write_text(kept.read_text()[:100])
    assert not ldap_source.last_good(folder)
    assert ldap_source.refresh(folder).users == 4

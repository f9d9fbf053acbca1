from __future__ import annotations

import json

import pytest
from edgewright_web.digest import ALGORITHMS, NONCE_COUNTS, NONCE_SECONDS, Digest, Nonces, Outcome, parse
from edgewright_web.tables import User
from webtables import REALM, USERS

TARGET = "/Autodiscover/AutodiscoverService.svc/root/user?sipuri=a"
SECRET = b"s" * 32


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def find(address: str) -> User | None:
    if address not in USERS:
        return None
    value = json.loads(USERS[address])
    digests = {"MD5": value["md5"], "SHA-256": value["sha256"]}
    return User(address, value["name"], value["home"], value["enabled"], digests, value["policy"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def digest(clock: Clock) -> Digest:
    return Digest(REALM, (REALM, "second.example"), Nonces(SECRET, "external", clock))


def answer(
    user: str,
    nonce: str,
    *,
    password: str = "correct horse",
    algorithm: str = "SHA-256",
    nc: int = 1,
    uri: str = TARGET,
    method: str = "GET",
    changed: dict[str, str] | None = None,
) -> str:
    h = ALGORITHMS[algorithm]
    ha1 = h(f"{user}:{REALM}:{password}".encode())
    ha2 = h(f"{method}:{uri}".encode())
    fields = {
        "username": f'"{user}"',
        "realm": f'"{REALM}"',
        "nonce": f'"{nonce}"',
        "uri": f'"{uri}"',
        "response": '"' + h(f"{ha1}:{nonce}:{nc:08x}:c0ffee:auth:{ha2}".encode()) + '"',
        "qop": "auth",
        "nc": f"{nc:08x}",
        "cnonce": '"c0ffee"',
        "algorithm": algorithm,
    }
    return "Digest " + ", ".join(f"{k}={v}" for k, v in {**fields, **(changed or {})}.items())


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
@pytest.mark.parametrize(
    ("user", "address"), [("alice", "alice@contoso.example"), ("hans", "hans@second.example")]
)
def test_right_password(digest: Digest, algorithm: str, user: str, address: str) -> None:
    outcome = digest.check(answer(user, digest.nonces.make(), algorithm=algorithm), "GET", TARGET, find)
    assert outcome.user is not None
    assert outcome.user.address == address


@pytest.mark.parametrize(
    ("user", "password", "failure"),
    [
        ("alice", "wrong", "wrong-password"),
        ("gina", "wrong", "wrong-password"),
        ("gina", "correct horse", "account-disabled"),
        ("nobody", "correct horse", "unknown-user"),
    ],
)
def test_refusals_have_their_own_reason(digest: Digest, user: str, password: str, failure: str) -> None:
    outcome = digest.check(answer(user, digest.nonces.make(), password=password), "GET", TARGET, find)
    assert outcome.user is None
    assert outcome.failure == failure
    assert not outcome.stale


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_an_account_without_a_password_lets_nobody_in(digest: Digest, algorithm: str) -> None:
    """Its digest is empty in the tables: who computes with an empty one must not be right."""
    nonce = digest.nonces.make()
    h = ALGORITHMS[algorithm]
    ha2 = h(f"GET:{TARGET}".encode())
    response = h(f":{nonce}:00000001:c0ffee:auth:{ha2}".encode())
    header = answer("alice", nonce, algorithm=algorithm, changed={"response": f'"{response}"'})
    empty = User("alice@contoso.example", "", "", True, {"MD5": "", "SHA-256": ""}, {})
    assert digest.check(header, "GET", TARGET, lambda _: empty).failure == "wrong-password"


def test_rfc_7616_example() -> None:
    """Section 3.9.1: the vectors pin the arithmetic to something that is not our own."""
    made = {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    for algorithm, response in made.items():
        header = (
            'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", '
            f"algorithm={algorithm}, "
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
            'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, '
            f'response="{response}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
        )
        parsed = parse(header, "http-auth@example.org", "/dir/index.html")
        assert parsed is not None
        ha1 = ALGORITHMS[algorithm](b"Mufasa:http-auth@example.org:Circle of Life")
        assert Digest._response(parsed, ha1, "GET") == response


def test_replay_is_refused_and_a_further_count_is_not(digest: Digest) -> None:
    nonce = digest.nonces.make()
    first = answer("alice", nonce)
    assert digest.check(first, "GET", TARGET, find).user
    replayed = digest.check(first, "GET", TARGET, find)
    assert replayed == Outcome(stale=True, claimed="alice@contoso.example")
    assert digest.check(answer("alice", nonce, nc=3), "GET", TARGET, find).user
    assert digest.check(answer("alice", nonce, nc=2), "GET", TARGET, find).user


def test_replay_under_another_spelling_of_the_nonce(digest: Digest) -> None:
    nonce = digest.nonces.make()
    assert digest.check(answer("alice", nonce), "GET", TARGET, find).user
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        assert not digest.check(answer("alice", nonce[:-1] + last), "GET", TARGET, find).user


def test_old_nonce_is_stale_only_for_who_knows_the_password(digest: Digest, clock: Clock) -> None:
    nonce = digest.nonces.make()
    clock.now += NONCE_SECONDS + 1
    assert digest.check(answer("alice", nonce), "GET", TARGET, find).stale
    wrong = digest.check(answer("alice", nonce, password="wrong"), "GET", TARGET, find)
    assert (wrong.stale, wrong.failure) == (False, "wrong-password")
    disabled = digest.check(answer("gina", nonce), "GET", TARGET, find)
    assert (disabled.stale, disabled.failure) == (False, "account-disabled")


def test_nonce_of_another_host_of_the_pool_counts(digest: Digest, clock: Clock) -> None:
    other = Nonces(SECRET, "external", clock)
    assert digest.check(answer("alice", other.make()), "GET", TARGET, find).user


@pytest.mark.parametrize("nonce", ["", "x", "A" * 43, "ä" * 43, "=" * 43])
def test_made_up_nonce(digest: Digest, nonce: str) -> None:
    assert digest.check(answer("alice", nonce), "GET", TARGET, find).failure == "malformed"


def test_nonce_of_the_other_site_or_another_pool(digest: Digest, clock: Clock) -> None:
    for stranger in (Nonces(SECRET, "internal", clock), Nonces(b"o" * 32, "external", clock)):
        assert digest.check(answer("alice", stranger.make()), "GET", TARGET, find).failure == "malformed"


@pytest.mark.parametrize(
    "changed",
    [
        {"uri": '"/other"'},
        {"realm": '"other"'},
        {"qop": "auth-int"},
        {"qop": '""'},
        {"nc": "1"},
        {"nc": "0000000g"},
        {"cnonce": '""'},
        {"username": '""'},
        {"algorithm": "SHA-512"},
        {"response": '"short"'},
        {"extra": '"unclosed'},
    ],
)
def test_unusable_answers(digest: Digest, changed: dict[str, str]) -> None:
    header = answer("alice", digest.nonces.make(), changed=changed)
    assert digest.check(header, "GET", TARGET, find).failure == "malformed"


@pytest.mark.parametrize(
    "header", ["", "Digest", "Basic YTpi", "Digest " + "a=b, " * 2000, 'Digest a="b", a="c"']
)
def test_not_a_digest(digest: Digest, header: str) -> None:
    assert digest.check(header, "GET", TARGET, find).failure == "malformed"


def test_another_method_needs_another_answer(digest: Digest) -> None:
    header = answer("alice", digest.nonces.make(), method="POST")
    assert digest.check(header, "GET", TARGET, find).failure == "wrong-password"


def test_absolute_uri(digest: Digest) -> None:
    header = answer("alice", digest.nonces.make(), uri="https://web.contoso.example" + TARGET)
    assert digest.check(header, "GET", TARGET, find).user


def test_memory_is_bounded(digest: Digest, clock: Clock) -> None:
    nonce = digest.nonces.make()
    for count in range(NONCE_COUNTS):
        assert digest.nonces.use(nonce, count)
    assert not digest.nonces.use(nonce, NONCE_COUNTS)
    clock.now += NONCE_SECONDS + 10
    digest.nonces.use(digest.nonces.make(), 1)
    assert len(digest.nonces._seen) == 1


def test_challenges_are_one_per_algorithm_strongest_first(digest: Digest) -> None:
    first, second = digest.challenges()
    assert "algorithm=SHA-256" in first
    assert "algorithm=MD5" in second
    assert all('qop="auth"' in c and f'realm="{REALM}"' in c and "stale" not in c for c in (first, second))
    assert all("stale=true" in c for c in digest.challenges(stale=True))

"""Tokens of other issuers, beside doorward's own and in their place."""

import json
import stat
import subprocess

import jwt
import pytest
from issuer import Issuer
from sidecar import merge, until
from test_reload import reloaded


@pytest.fixture
def issuers():
    """Makes issuers; all of them are stopped at the end."""
    made = []

    def make():
        made.append(Issuer())
        return made[-1]

    yield make
    for issuer in made:
        issuer.stop()


@pytest.fixture
def issuer(issuers):
    return issuers()


def gate(issuer, **more):
    """Changes that make doorward a gate for this issuer's tokens alone."""
    return {"tokens": None, "server_keys": [], "trusted_issuers": [issuer.trusted()]} | more


def reason(answer):
    return answer.status_code, answer.json().get("reason")


def test_a_pure_gate_takes_foreign_tokens_alone_and_issues_none(issuer, shop, start):
    doorward = start(shop.url, gate(issuer))
    assert doorward.call("/items", issuer.token()).status_code == 200
    [seen] = shop.seen("/items")
    assert (seen.header("X-Forwarded-User"), seen.header("X-Doorward-Issuer")) == ("johndoe", issuer.name)
    shop.forget()

    for token, expected in (
        (issuer.token(scope="other"), (403, "insufficient-scope")),
        (issuer.token(aud="https://somebody.else"), (401, "wrong-audience")),
        (issuer.token(aud=None), (401, "wrong-audience")),
        (issuer.token(iss="https://auth.example.test"), (401, "wrong-issuer")),
        (issuer.token(iss=f"{issuer.name}/"), (401, "wrong-issuer")),
        (issuer.token(exp=1), (401, "expired")),
    ):
        assert reason(doorward.call("/items", token)) == expected
    login = doorward.post("/token", {"username": "johndoe", "password": "secret"})
    assert reason(login) == (401, "no-credential"), "a path like any other"
    assert reason(doorward.post("/refresh-token", {"refresh_token": "dwr_x"})) == (401, "no-credential")
    assert shop.seen() == []

    data = doorward.directory / "data"
    assert not (data / "signing-key.pem").exists(), "nothing is signed"
    assert stat.S_IMODE((data / "server.key").stat().st_mode) == 0o600
    assert doorward.metric("doorward_insecure_settings") == 0


def test_a_foreign_token_is_revoked_here(issuer, shop, start):
    doorward = start(shop.url, gate(issuer))
    bare, named, other = issuer.token(), issuer.token(jti="a"), issuer.token(jti="b")
    for token in (bare, named):
        doorward.revoke(token)
        assert reason(doorward.call("/items", token)) == (401, "revoked")
    assert doorward.call("/items", other).status_code == 200
    doorward.stop()
    doorward.start()
    assert reason(doorward.call("/items", named)) == (401, "revoked"), "it is durable"


def test_a_start_and_a_restart_need_no_issuer(issuer, shop, start):
    token = issuer.token()
    issuer.stop()
    doorward = start(shop.url, gate(issuer))
    assert reason(doorward.call("/items", token)) == (503, "keys-unavailable")
    revoked = doorward.post("/revoke-token", {"token": token})
    assert revoked.status_code == 503, "a 200 would promise that it is dead"
    assert doorward.probe("/readyz").status_code == 503, "nothing can be served"
    assert shop.seen() == []
    issuer.start()
    until(lambda: doorward.call("/items", token).status_code == 200, deadline=30, what="the keys")
    assert doorward.probe("/readyz").status_code == 200

    doorward.stop()
    issuer.stop()
    doorward.start()
    assert doorward.call("/items", token).status_code == 200, "by the keys that were kept"
    assert issuer.name in doorward.probe("/readyz?verbose").text


def test_own_and_foreign_tokens_side_by_side(issuer, shop, start):
    doorward = start(shop.url, {"trusted_issuers": [issuer.trusted(subject_prefix="other:")]})
    own = doorward.login()["access_token"]
    for token in (own, issuer.token()):
        assert doorward.call("/items", token).status_code == 200
    assert not (doorward.directory / "data" / "server.key").exists(), "own keys are enough"


def test_a_foreign_token_ends_no_session_of_ours(issuer, shop, start):
    """Another issuer may write any `sid` into its tokens."""
    trusted = {"trusted_issuers": [issuer.trusted(subject_prefix="other:")], "revocation": {"cascade": True}}
    doorward = start(shop.url, trusted)
    session = doorward.login()
    sid = jwt.decode(session["access_token"], options={"verify_signature": False})["sid"]
    doorward.revoke(issuer.token(sid=sid))
    assert doorward.call("/items", session["access_token"]).status_code == 200
    assert doorward.refresh(session["refresh_token"]).status_code == 200
    doorward.revoke(session["access_token"])
    assert doorward.refresh(session["refresh_token"]).status_code == 400, "its own token does end it"


def test_a_reload_adds_and_removes_issuers(issuers, shop, start):
    one, two = issuers(), issuers()
    doorward = start(shop.url)
    own = doorward.login()["access_token"]
    settings = doorward.settings

    def statuses():
        return [doorward.call("/items", token).status_code for token in (own, one.token(), two.token())]

    for trusted, expected in (
        ([], [200, 401, 401]),
        ([one], [200, 200, 401]),
        ([one, two], [200, 200, 200]),
        ([two], [200, 401, 200]),
    ):
        entries = [issuer.trusted(subject_prefix=f"{number}:") for number, issuer in enumerate(trusted)]
        doorward.write(merge(settings, {"trusted_issuers": entries}))
        assert reloaded(doorward) == "ok"
        assert statuses() == expected
        if trusted == [one, two]:
            fetched = len(two.fetched)
    assert len(two.fetched) == fetched, "what did not change is not fetched again"

    doorward.write(merge(settings, {"tokens": None, "trusted_issuers": [two.trusted()]}))
    assert reloaded(doorward) == "ok"
    assert statuses() == [401, 401, 200]
    assert reason(doorward.call("/items", own)) == (401, "wrong-issuer")
    broken = {"tokens": None, "trusted_issuers": []}
    doorward.write(merge(settings, broken))
    assert reloaded(doorward) == "refused"
    assert statuses() == [401, 401, 200]


def test_inspecting_asks_the_issuer(issuer, shop, prepare, binary):
    doorward = prepare(shop.url, gate(issuer))

    def inspect(token):
        command = [binary, "token", "inspect", "--config", doorward.config]
        result = subprocess.run(command, input=token, capture_output=True, text=True, timeout=30)
        shown = json.loads(result.stdout)
        return result.returncode, shown["verified"], shown.get("reason")

    assert inspect(issuer.token()) == (0, True, None)
    assert inspect(issuer.token(aud="other")) == (1, False, "wrong-audience")
    fetched = len(issuer.fetched)
    assert inspect(issuer.token(iss="https://auth.example.test")) == (1, False, "wrong-issuer")
    assert len(issuer.fetched) == fetched, "no token chooses whom to ask"
    issuer.stop()
    assert inspect(issuer.token()) == (1, False, "the-issuer's-keys-are-not-available")
    assert not (doorward.directory / "data").exists(), "looking at a token makes nothing"


def test_what_is_weakened_is_logged_and_counted(issuer, shop, start):
    key = {"insecure": {"http_issuers": True, "readable_key_files": True}}
    doorward = start(shop.url, {"trusted_issuers": [issuer.trusted(subject_prefix="other:")]} | key)
    for name in key["insecure"]:
        assert any(f"`insecure.{name}`" in line for line in doorward.output.lines), name
    assert doorward.metric("doorward_insecure_settings") == 2
    doorward.write(merge(doorward.settings, {"insecure": {"http_issuers": False}}))
    assert reloaded(doorward) == "ok"
    assert doorward.metric("doorward_insecure_settings") == 1

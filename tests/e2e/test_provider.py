"""Tokens of a real OpenID provider, which rotates its keys, vanishes and comes back."""

import base64
import json
import time

import jwt
import pytest
from load import Load
from provider import ALGORITHMS, AUDIENCE, JITTER, WINDOW, Provider
from scripted import Scripted, good
from sidecar import until

# What a token is asked for, and what comes of it at GET /items/1.
ASKED = {
    "right": ({}, 200, None),
    "of another audience": ({"audience": "https://elsewhere.example.test"}, 401, "wrong-audience"),
    "of an audience that begins like ours": ({"audience": AUDIENCE + ".evil.test"}, 401, "wrong-audience"),
    "of another scope": ({"scope": "items:write"}, 403, "insufficient-scope"),
    "of more scopes": ({"scope": "items items:write"}, 200, None),
}


@pytest.fixture(scope="module")
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def stopped(provider):
    """Stops the provider when it is called, for no longer than the test."""
    yield lambda: provider.tell("stop")
    provider.tell("start")


@pytest.fixture(scope="module")
def other_provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def upstream():
    with Scripted(good) as upstream:
        yield upstream


def gate_for(*providers):
    """Configuration of a doorward that only validates the tokens of these."""
    trusted = [one.trusted(subject_prefix=f"{number}:") for number, one in enumerate(providers)]
    return {"tokens": None, "trusted_issuers": trusted, "telemetry": {"format": "json"}}


def ready(doorward):
    """Once the keys are there; until then requests are 503."""
    until(lambda: doorward.metric("doorward_jwks_refresh_total", result="ok") >= 1, what="the first keys")
    return doorward


def verdict(doorward, token):
    """Status and reason; what passed reached the upstream, and what did not, did not."""
    answer = doorward.call("/items/1", token)
    return answer.status_code, None if answer.status_code == 200 else answer.json()["reason"]


def of_unknown_key(token):
    """The same claims under a key id that nobody has."""
    header, body, signature = token.split(".")
    named = json.dumps(jwt.get_unverified_header(token) | {"kid": "nobody's"}).encode()
    return ".".join([base64.urlsafe_b64encode(named).rstrip(b"=").decode(), body, signature])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tokens_of_each_algorithm(algorithm, provider, upstream, start):
    """Case 110."""
    doorward = ready(start(upstream.url, gate_for(provider)))
    passed = 0
    for name, (wanted, *expected) in ASKED.items():
        token = provider.token(algorithm, **wanted)
        assert jwt.get_unverified_header(token)["alg"] == algorithm
        assert list(verdict(doorward, token)) == expected, name
        passed += expected[0] == 200
        assert len(upstream.received) == passed, name
    seen = upstream.received[0]
    assert (seen.header(b"x-forwarded-user"), seen.header(b"x-doorward-issuer")) == (b"0:machine", provider.issuer.encode())
    assert seen.header(b"x-doorward-scopes") == b"items"


def test_an_issuer_speaks_for_itself_alone(provider, other_provider, upstream, start):
    """A token of one issuer under the key of the other (attack J43), and of an issuer that nobody trusts."""
    doorward = start(upstream.url, gate_for(provider, other_provider))
    until(lambda: doorward.metric("doorward_jwks_refresh_total", result="ok") >= 2, what="the keys of both")
    for number, issuer in enumerate((provider, other_provider)):
        assert verdict(doorward, issuer.token()) == (200, None)
        assert upstream.received[-1].header(b"x-forwarded-user") == f"{number}:machine".encode()
    header, _, signature = provider.token().split(".")
    _, foreign, _ = other_provider.token().split(".")
    assert verdict(doorward, f"{header}.{foreign}.{signature}") == (401, "unknown-key")
    assert len(upstream.received) == 2


def test_rotation_under_load(provider, upstream, start):
    """Cases 116 and 117, attack K07. Time passes here: the ten seconds between two fetches."""
    provider.tell("publish?doomed")
    doomed = {f"doomed {algorithm}": provider.token(algorithm) for algorithm in ALGORITHMS}
    provider.tell("publish?kept")
    kept = {f"kept {algorithm}": provider.token(algorithm) for algorithm in ALGORITHMS}
    before = len(provider.fetches())
    doorward = ready(start(upstream.url, gate_for(provider)))
    with Load(doorward.public, "/items/1", doomed | kept) as load:
        # Too soon after the last fetch: the key may be known to nobody, and the token is refused without asking.
        provider.tell("publish?early")
        early = {f"early {algorithm}": provider.token(algorithm) for algorithm in ALGORITHMS}
        for token in early.values():
            assert verdict(doorward, token) == (401, "unknown-key")
        assert len(provider.fetches()) == before + 1

        time.sleep(max(0, provider.tell("fetches")[-1] / 1000 + WINDOW + JITTER - time.time()))
        provider.tell("withdraw?doomed")
        provider.tell("publish?new")
        new = {f"new {algorithm}": provider.token(algorithm) for algorithm in ALGORITHMS}
        assert load.refused() == {}, "while nothing had changed"
        load.tokens = kept | early | new
        asked = load.asked()
        until(lambda: load.asked() >= asked + 200, what="a second of the new tokens")
        assert load.refused() == {}, "no request waits long enough to be refused"
        for label, token in doomed.items():
            assert verdict(doorward, token) == (401, "unknown-key"), f"{label}: remembered, and withdrawn"
    assert load.failures == []
    assert load.refused() == {}
    assert load.late < 1, "200 requests a second were not kept up"
    assert all(load.answers[label, 200] for label in doomed | kept | early | new)
    fetched = provider.fetches()[before:]
    assert len(fetched) == 2, fetched
    assert doorward.metric("doorward_jwks_refresh_total", issuer=provider.issuer, result="ok") == 2
    print(f"\n{load.asked()} requests, fetches {fetched[1] - fetched[0]:.2f} s apart")


def test_an_outage(provider, stopped, upstream, prepare):
    """Case 118. Time passes here: the ten seconds until the next attempt."""
    token, unseen = provider.token(), provider.token("RS256")
    known = ready(prepare(upstream.url, gate_for(provider), name="known").start())
    assert verdict(known, token) == (200, None)
    succeeded = known.metric("doorward_jwks_last_success_timestamp_seconds", issuer=provider.issuer)
    assert abs(succeeded - time.time()) < 30
    stopped()
    assert [verdict(known, one) for one in (token, unseen)] == [(200, None)] * 2, "as long as it runs"
    known.stop()
    known.start()
    unknown = prepare(upstream.url, gate_for(provider), name="unknown").start()
    for doorward in (known, unknown):
        until(lambda doorward=doorward: failures(doorward), what="the failed fetch")
    assert [verdict(known, one) for one in (token, unseen)] == [(200, None)] * 2, "also after a restart"
    passed = len(upstream.received)
    for doorward, refused in ((known, of_unknown_key(token)), (unknown, token), (unknown, of_unknown_key(token))):
        answer = doorward.call("/items/1", refused)
        assert (answer.status_code, answer.json()["reason"]) == (503, "keys-unavailable")
        assert int(answer.headers["Retry-After"]) > 0 and "WWW-Authenticate" not in answer.headers
    assert len(upstream.received) == passed
    # An issuer that is down takes nothing out of service but what can serve nothing at all.
    for doorward, status, begins in ((known, 200, "degraded: "), (unknown, 503, "no keys: ")):
        probe = doorward.probe("/readyz")
        assert (probe.status_code, probe.text.split("issuer")[0]) == (status, begins), probe.text
        assert provider.issuer in doorward.probe("/readyz?verbose").text
        until(lambda doorward=doorward: doorward.records(level="warn", issuer=provider.issuer), what="a word in the log")
    gauges = {sample.name: sample.value for sample in known.samples() if sample.labels.get("issuer") == provider.issuer}
    assert gauges["doorward_jwks_last_success_timestamp_seconds"] == succeeded, "the restart has learnt nothing new"
    assert 0 <= gauges["doorward_issuer_keys_age_seconds"] < 30

    provider.tell("start")
    for doorward in (known, unknown):
        until(lambda doorward=doorward: doorward.probe("/readyz").text == "ok\n", what="the keys, by themselves")
        assert verdict(doorward, token) == (200, None)
        assert verdict(doorward, of_unknown_key(token)) == (401, "unknown-key")


def failures(doorward):
    """How many fetches failed, for whatever reason."""
    samples = [sample for sample in doorward.samples() if sample.name == "doorward_jwks_refresh_total"]
    return sum(sample.value for sample in samples if sample.labels["result"] not in ("ok", "unchanged"))


def test_keys_at_rest_are_private_and_bound_to_their_issuer(provider, stopped, upstream, prepare):
    """What is kept for the next start says whose it is; in the place of another's it is nothing."""
    doorward = ready(prepare(upstream.url, gate_for(provider)).start())
    token = provider.token()
    doorward.stop()
    files = [file for file in (doorward.directory / "data").rglob("*") if file.is_file() and provider.issuer.encode() in file.read_bytes()]
    assert len(files) == 1 and files[0].stat().st_mode & 0o777 == 0o600, files
    kept = files[0].read_bytes()
    stopped()
    for changed in (kept.replace(b"ES256", b"ES384"), kept[:-20], b"", b"{}"):
        assert changed != kept
        files[0].write_bytes(changed)
        doorward.start()
        until(lambda: failures(doorward), what="the failed fetch")
        assert verdict(doorward, token) == (503, "keys-unavailable"), changed[-80:]
        doorward.stop()
    files[0].write_bytes(kept)
    doorward.start()
    assert verdict(doorward, token) == (200, None)

"""Tokens by the thousand that name keys nobody has: the issuer hardly notices, and neither do those with good tokens.

Here doorward is a debug build, and the attacker sends what goes; `make soak` sends a thousand a second to a release build, and asks for
the same p99 as without.
"""

import pytest
from floods import FLOOR, OURS, SOAK, Attacker, keep_to, measure, on_our_cores  # noqa: F401
from provider import JITTER, WINDOW, Provider
from sidecar import until

TOKENS = 20_000
RATE = "1000" if SOAK else "inf"


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.close()


def test_a_flood_of_key_ids(provider, shop, start, monkeypatch):
    """Case 116, attack K06."""
    changes = {"tokens": None, "trusted_issuers": [provider.trusted()], "telemetry": {"access_log": False}}
    doorward = start(shop.url, changes)
    until(lambda: doorward.metric("doorward_jwks_refresh_total", result="ok"), what="the keys")
    token = provider.token()
    monkeypatch.setenv("ATTACK_TOKEN", token)
    monkeypatch.setenv("ATTACK_RATE", RATE)
    keep_to(doorward.process.pid, OURS)

    quiet = measure(doorward.public, token=token)
    # What as many refusals cost that have nothing to do with keys.
    with Attacker("malformed", doorward.public, 8):
        elsewhere = measure(doorward.public, token=token)
    with Attacker("kids", doorward.public, 8) as attacker:
        busy = measure(doorward.public, token=token)
        until(lambda: doorward.metric("doorward_decisions_total", reason="unknown-key") >= TOKENS, 120, f"{TOKENS} tokens")
    fetched = provider.fetches()
    gaps = [later - earlier for earlier, later in zip(fetched, fetched[1:], strict=False)]
    print(
        f"\n{attacker.tally}; fetches {[round(gap, 2) for gap in gaps]} s apart; p50 {quiet[0] * 1e3:.2f} -> {busy[0] * 1e3:.2f} ms, "
        f"p99 {quiet[1] * 1e3:.2f} -> {busy[1] * 1e3:.2f} ms ({elsewhere[1] * 1e3:.2f} for malformed ones)"
    )
    assert attacker.tally["401"] >= TOKENS and set(attacker.tally) == {"opened", "ended", "refused", "peak", "401"}
    assert all(gap >= WINDOW - JITTER for gap in gaps), gaps
    assert shop.seen("/attack") == []
    if SOAK:
        assert busy[1] <= 1.2 * quiet[1]
    assert busy[1] <= max(3 * max(quiet[1], elsewhere[1]), FLOOR)

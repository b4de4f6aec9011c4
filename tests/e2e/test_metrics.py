"""/metrics under a client that makes up paths, methods, grants and key ids."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import jwt
from conftest import ISSUER
from wire import Connection, lines

FAMILIES = {
    "doorward_build_info",
    "doorward_http_requests_total",
    "doorward_http_request_duration_seconds_count",
    "doorward_http_requests_in_flight",
    "doorward_upstream_request_duration_seconds_count",
    "doorward_token_requests_total",
    "doorward_token_validations_total",
    "doorward_revocations_total",
    "doorward_denylist_entries",
    "doorward_store_up",
    "doorward_insecure_settings",
    "doorward_password_verify_duration_seconds_count",
    "doorward_password_verify_queue_length",
    "doorward_config_last_reload_successful",
    "doorward_config_last_reload_success_timestamp_seconds",
    "doorward_decisions_total",
    "doorward_decision_duration_seconds_count",
    "doorward_verified_token_cache_total",
    "doorward_revocation_cache_total",
    "doorward_connections",
    "process_resident_memory_bytes",
    "process_open_fds",
}


def hostile(host, kind, number):
    """Request `number` of a kind; the same bytes never twice."""
    mark = f"{kind}-{number:05}"
    if kind == "path":
        return lines(f"GET /{mark}/{'x' * (number % 90)}?{mark}={mark} HTTP/1.1", f"Host: {host}")
    if kind == "method":
        letters = "".join(chr(ord("A") + int(digit)) for digit in str(number))
        return lines(f"{letters}-{letters} /users/me HTTP/1.1", f"Host: {host}", "Content-Length: 0")
    if kind == "grant":
        body = f"grant_type=urn:{mark}&username={mark}&password=x&client_id={mark}".encode()
        form = "Content-Type: application/x-www-form-urlencoded"
        return lines("POST /token HTTP/1.1", f"Host: {host}", form, f"Content-Length: {len(body)}", body=body)
    claims = {"sub": mark, "iss": ISSUER if number % 2 else f"https://{mark}.example", "exp": 4102444800}
    token = jwt.encode(claims, "a key that doorward has never seen, long enough", headers={"kid": mark})
    return lines("GET /users/me HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}")


EXPECTED = {"path": {401}, "method": {401, 405}, "grant": {400}, "kid": {401}}


def attack(host, kind, numbers):
    statuses = []
    with Connection(host) as connection:
        for number in numbers:
            statuses.append(connection.exchange(hostile(host, kind, number)).status)
    return statuses


def series(doorward):
    samples = doorward.samples()
    found = {(sample.name, tuple(sorted(sample.labels.items()))) for sample in samples}
    assert len(found) == len(samples), "no series twice"
    return found


def test_parses_and_has_what_operators_look_for(shop, start):
    doorward = start(shop.url)
    session = doorward.login()
    doorward.call("/users/me", session["access_token"])
    doorward.call("/users/me")
    doorward.revoke(session["access_token"])
    doorward.counts(1, "doorward_token_requests_total", grant_type="password", result="ok")
    doorward.counts(1, "doorward_decisions_total", route="/users/me", decision="allow")
    doorward.counts(1, "doorward_decisions_total", route="/users/me", decision="deny", reason="no-credential")
    doorward.counts(1, "doorward_http_requests_total", listener="public", route="/users/me", method="GET", code="200")
    doorward.counts(1, "doorward_token_validations_total", result="ok")
    doorward.counts(1, "doorward_revocations_total")
    doorward.counts(1, "doorward_denylist_entries")
    doorward.counts(1, "doorward_store_up")
    doorward.counts(1, "doorward_password_verify_duration_seconds_count")
    doorward.counts(1, "doorward_config_last_reload_successful")
    doorward.counts(0, "doorward_panics_total")
    samples = doorward.samples()
    names = {sample.name for sample in samples}
    assert names >= FAMILIES, FAMILIES - names
    for sample in samples:
        assert sample.name.startswith(("doorward_", "process_")), sample.name
        assert "johndoe" not in str(sample.labels), "nobody's name in a label"


def test_series_do_not_grow_with_what_clients_make_up(shop, start):
    doorward = start(shop.url)
    for kind in EXPECTED:
        attack(doorward.public, kind, range(90000, 90002))
    before = series(doorward)
    chunks = [(kind, range(start, start + 500)) for kind in EXPECTED for start in range(0, 2500, 500)]
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda chunk: (chunk[0], attack(doorward.public, *chunk)), chunks))
    by_kind = {kind: set(itertools.chain(*(codes for at, codes in statuses if at == kind))) for kind in EXPECTED}
    assert sum(len(codes) for _, codes in statuses) == 10_000
    assert all(by_kind[kind] <= EXPECTED[kind] for kind in EXPECTED), by_kind
    assert series(doorward) - before == set()
    assert len(series(doorward)) == len(before)
    assert shop.seen() == []
    labels = " ".join(value for sample in doorward.samples() for value in sample.labels.values())
    assert not any(kind + "-0" in labels for kind in EXPECTED)

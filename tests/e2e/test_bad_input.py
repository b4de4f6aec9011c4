"""Input nobody sends by accident: a clear error each, and the memory comes back."""

import json

import pytest
from sidecar import until
from wire import exchange, lines

MIB = 1 << 20
FORM = "application/x-www-form-urlencoded"


def post(path, body, kind=FORM, *more):
    types = [f"Content-Type: {kind}"] if kind else []
    return lambda host: lines(f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *types, *more, body=body)


def bearer(token):
    return lambda host: lines("GET /users/me HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}")


PASSWORD = b"grant_type=password&username=johndoe&password="
GOOD = PASSWORD + b"secret"
REFRESH = "/refresh-token"
CASES = {
    "password of 1 MB": (post("/token", PASSWORD + b"x" * MIB), 413, "invalid_request"),
    "password of 2 KiB": (post("/token", PASSWORD + b"x" * 2048), 400, "invalid_request"),
    "username of 300 bytes": (post("/token", b"username=" + b"x" * 300 + b"&password=secret"), 400, "invalid_request"),
    "binary body": (post("/token", bytes(range(256)) * 64), 400, "invalid_request"),
    "binary body of 1 MB": (post("/token", bytes(range(256)) * 4096), 413, "invalid_request"),
    "binary password": (post("/token", PASSWORD + b"%ff%fe"), 400, "invalid_request"),
    "NUL in the username": (post("/token", b"username=john%00doe&password=secret"), 400, "invalid_request"),
    "JSON to /token": (post("/token", b'{"username":"johndoe","password":"secret"}', "application/json"), 400, "invalid_request"),
    "XML": (post("/token", b"<password>secret</password>", "application/xml"), 400, "invalid_request"),
    "no type": (post("/token", GOOD, None), 400, "invalid_request"),
    "nonsense type": (post("/token", GOOD, ";;//\xff"), 400, "invalid_request"),
    "two types": (post("/token", GOOD, FORM, f"Content-Type: {FORM}"), 400, "invalid_request"),
    "a latin-1 form": (post("/token", GOOD, FORM + ";charset=latin-1"), 400, "invalid_request"),
    "gzip": (post("/token", GOOD, FORM, "Content-Encoding: gzip"), 400, "invalid_request"),
    "multipart without boundary": (post("/token", GOOD, "multipart/form-data"), 400, "invalid_request"),
    "10,000 scopes": (post("/token", GOOD + b"&scope=" + b"+".join(b"%04d" % n for n in range(10000))), 400, "invalid_scope"),
    "10,000 parameters": (post("/token", GOOD + b"&a=1" * 10000), 400, "invalid_request"),
    "deep JSON": (post(REFRESH, b"[" * 60000, "application/json"), 400, "invalid_request"),
    "JSON null": (post(REFRESH, b'{"refresh_token":null}', "application/json"), 400, "invalid_request"),
    "JSON number": (post(REFRESH, b'{"refresh_token":1e400}', "application/json"), 400, "invalid_request"),
    "refresh token of 1 MB": (post(REFRESH, b"refresh_token=dwr_" + b"A" * MIB), 413, "invalid_request"),
    "refresh token of 60 KB": (post(REFRESH, b"refresh_token=dwr_" + b"A" * 60000), 400, "invalid_grant"),
    "refresh token that is none": (post(REFRESH, b"refresh_token=%22%3Cscript%3E"), 400, "invalid_grant"),
    "revocation of 1 MB": (post("/revoke-token", b"token=" + b"A" * MIB), 413, "invalid_request"),
    "bearer of 9 KiB": (bearer("A" * 9216), 401, "invalid_token"),
    "bearer of 30 KB in three parts": (bearer(".".join(["A" * 10000] * 3)), 401, "invalid_token"),
}


@pytest.fixture
def doorward(shop, start):
    return start(shop.url)


@pytest.mark.parametrize("name", CASES)
def test_clear_error(name, doorward, shop):
    make, status, error = CASES[name]
    answer = exchange(doorward.public, make(doorward.public))
    body = json.loads(answer.body)
    assert (answer.status, body["error"]) == (status, error)
    assert isinstance(body["detail"], str) and body["detail"] != ""
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store"
    assert None not in body.values()
    if error == "invalid_token":
        assert body["reason"] in ("too-large", "malformed-token")
    assert doorward.metric("doorward_password_verify_duration_seconds_count") == 0, "refused before anything is hashed"
    assert shop.seen() == []
    assert doorward.login()["token_type"] == "bearer"


def test_bearer_of_a_megabyte(doorward, shop):
    """Beyond what any head may have: refused as such, before anybody looks for a token."""
    answer = exchange(doorward.public, bearer("A" * MIB)(doorward.public))
    assert answer.status in (400, 431)
    assert shop.seen() == []
    assert doorward.login()["token_type"] == "bearer"


def test_memory_comes_back(doorward):
    token = doorward.login()["access_token"]
    for _ in range(50):
        assert doorward.call("/users/me", token).status_code == 200
    before = doorward.resident_bytes()
    for make, status, _ in list(CASES.values()) * 3:
        assert exchange(doorward.public, make(doorward.public)).status == status
    for _ in range(3):
        exchange(doorward.public, bearer("A" * MIB)(doorward.public))
    assert doorward.call("/users/me", token).status_code == 200

    def within_bounds():
        return doorward.resident_bytes() - before <= 8 * MIB

    until(within_bounds, deadline=10, what=f"memory within 8 MiB of {before} bytes (it was {doorward.resident_bytes()})")


def test_logins_leave_no_memory_behind(shop, start):
    """Each hash fills 19 MiB; an allocator that keeps the pieces would let any client who may fail to log in fill the machine."""
    doorward = start(shop.url, {"users": {"hashing": {"concurrency": 1}}})
    doorward.login()
    before = doorward.resident_bytes()
    for _ in range(40):
        doorward.login()
    until(lambda: doorward.resident_bytes() - before <= 8 * MIB, deadline=10, what=f"memory within 8 MiB of {before} bytes")

"""Swagger UI's token requests as bytes, over a socket, and what any token answer looks like."""

import json

from wire import exchange, lines

T1 = [
    "POST /token HTTP/1.1",
    "Host: {host}",
    "Connection: keep-alive",
    "Content-Length: {length}",
    "Authorization: Basic Og==",
    "X-Requested-With: XMLHttpRequest",
    "Accept: application/json, text/plain, */*",
    "Content-Type: application/x-www-form-urlencoded",
    "Origin: http://{host}",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Dest: empty",
    "Referer: http://{host}/docs",
]


def swagger(host, body, **changed):
    head = [line.format(host=host, length=len(body)) for line in T1]
    return lines(*(changed.get(line.split(":")[0], line) for line in head), body=body)


def assert_token_headers(answer):
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Pragma") == "no-cache"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Set-Cookie") is None and answer.header("ETag") is None
    assert answer.header("WWW-Authenticate") is None


def test_authorize_button(shop, start):
    """Case 1."""
    doorward = start(shop.url)
    body = b"grant_type=password&username=johndoe&password=secret"
    assert len(body) == 52
    answer = exchange(doorward.public, swagger(doorward.public, body))
    token = json.loads(answer.body)
    assert (answer.status, token["token_type"], token["expires_in"]) == (200, "bearer", 900)
    assert isinstance(token["expires_in"], int) and None not in token.values()
    assert set(token["scope"].split()) == {"me", "items", "items:write"}, "all that the user has, as none was asked for"
    assert_token_headers(answer)
    status = lines(
        "GET /users/me HTTP/1.1",
        f"Host: {doorward.public}",
        "Connection: keep-alive",
        f"Authorization: Bearer {token['access_token']}",
        "accept: */*",
        f"Referer: http://{doorward.public}/docs",
    )
    called = exchange(doorward.public, status)
    assert (called.status, json.loads(called.body)["username"]) == (200, "johndoe")


def test_password_that_forms_escape(shop, start):
    """Case 2."""
    doorward = start(shop.url)
    body = b"grant_type=password&scope=me+items&username=siobhan&password=se+cret%26%2B%C3%A9"
    answer = exchange(doorward.public, swagger(doorward.public, body))
    assert answer.status == 200
    assert json.loads(answer.body)["scope"] == "me items"


def test_refusal_is_json_whatever_is_accepted(shop, start):
    """Cases 3, 4, 5 and 52: wrong, unknown and disabled are one answer, to the byte."""
    doorward = start(shop.url)
    bodies = [
        b"grant_type=password&username=johndoe&password=wrong1",
        b"grant_type=password&username=nobody&password=secret",
        b"grant_type=password&username=alice&password=secret",
    ]
    answers = []
    for body in bodies:
        answer = exchange(doorward.public, swagger(doorward.public, body, Accept="Accept: text/html"))
        assert answer.status == 400
        assert_token_headers(answer)
        refusal = json.loads(answer.body)
        assert refusal["error"] == "invalid_grant"
        assert refusal["detail"] == refusal["error_description"] == "Incorrect username or password"
        varying = {"date", "x-request-id", "traceparent"}
        answers.append((answer.body, [header for header in answer.headers if header[0].lower() not in varying]))
    assert answers[0] == answers[1] == answers[2]
    doorward.counts(3, "doorward_token_requests_total", grant_type="password", result="invalid_grant")


def test_login_answers_json_to_a_browser(shop, start):
    """Case 52, the good login."""
    doorward = start(shop.url)
    answer = doorward.post("/token", {"username": "johndoe", "password": "secret"}, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json()["token_type"] == "bearer"


def test_wrong_method(shop, start):
    doorward = start(shop.url)
    for method in ("GET", "PUT", "DELETE"):
        answer = doorward.call("/token", method=method)
        assert (answer.status_code, answer.headers["Allow"], answer.json()["detail"]) == (405, "POST", "Method Not Allowed")
    assert shop.seen() == []

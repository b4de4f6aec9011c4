"""Applications that check tokens themselves, as FastAPI's tutorial does: doorward's token passes their check too."""

import time

import jwt
import pytest
from conftest import SHARED_SECRET
from sidecar import plain_session


@pytest.fixture(params=["tutorial", "tutorial_jose"])
def application(request, applications):
    return applications(request.param)


def call(base, token):
    return plain_session().get(f"{base}/users/me/", headers={"Authorization": f"Bearer {token}"} if token else {})


def test_token_passes_both_checks(application, start):
    doorward = start(application.url)
    token = doorward.login()["access_token"]
    for base in (f"http://{doorward.public}", application.url):
        answer = call(base, token)
        assert (answer.status_code, answer.json()) == (200, {"username": "johndoe", "full_name": "John Doe", "disabled": False})
    through, straight = application.seen("/users/me/")
    assert through.header("Authorization") == straight.header("Authorization") == f"Bearer {token}"


def test_applications_own_check_stands(application, start):
    doorward = start(application.url)
    good = jwt.decode(doorward.login()["access_token"], SHARED_SECRET, algorithms=["HS256"])
    forged = jwt.encode(good, "another secret that is long enough for HS256", algorithm="HS256")
    expired = jwt.encode(good | {"exp": int(time.time()) - 3600}, SHARED_SECRET, algorithm="HS256")
    for token in (None, forged, expired):
        straight = call(application.url, token)
        assert straight.status_code == 401, "the application checks by itself"
        application.forget()
        assert call(f"http://{doorward.public}", token).status_code == 401
        assert application.seen() == [], "and doorward did before it"


def test_unknown_to_the_application(application, start):
    """siobhan is doorward's user, not the application's: doorward lets her pass, the application does not."""
    doorward = start(application.url)
    answer = call(f"http://{doorward.public}", doorward.login("siobhan", "se cret&+é")["access_token"])
    assert (answer.status_code, answer.json()) == (401, {"detail": "Could not validate credentials"})
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert len(application.seen()) == 1


def test_audience_breaks_the_tutorials_check(application, start):
    """Why own tokens have no `aud` by default: PyJWT and python-jose refuse one that they were not told of."""
    doorward = start(application.url, {"tokens": {"audience": ["https://api.example.test"]}})
    token = doorward.login()["access_token"]
    assert jwt.decode(token, SHARED_SECRET, algorithms=["HS256"], audience="https://api.example.test")["sub"] == "johndoe"
    assert call(f"http://{doorward.public}", token).status_code == 401
    assert len(application.seen()) == 1, "doorward took it, the application did not"


def test_minimal_challenges_are_fastapis(applications, start):
    """`wire.challenge: minimal`: who compares status, challenge and body cannot tell which of the two refused."""
    application = applications("tutorial_scopes")
    changes = {
        "wire": {"challenge": "minimal", "insufficient_scope_status": 401},
        "policy": {"routes": [{"path": "/users/me", "scopes": ["me", "items"]}]},
    }
    doorward = start(application.url, changes)
    good, narrow = doorward.login()["access_token"], doorward.login(scope="me")["access_token"]
    cases = {
        "no token": ("/users/me", None, "Bearer"),
        "no token, no scopes": ("/status/", None, "Bearer"),
        "garbage": ("/users/me", "garbage", 'Bearer scope="me items"'),
        "garbage, no scopes": ("/status/", "garbage", "Bearer"),
        "too few scopes": ("/users/me", narrow, 'Bearer scope="me items"'),
    }
    for label, (path, token, challenge) in cases.items():
        application.forget()
        straight = get(application.url + path, token)
        assert (straight[0], straight[2]) == (401, challenge), label
        application.forget()
        assert get(f"http://{doorward.public}{path}", token) == straight, label
        assert application.seen() == [], label
    assert get(f"http://{doorward.public}/users/me", good)[0] == 200


def get(url, token):
    answer = plain_session().get(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    return answer.status_code, answer.content, answer.headers.get("WWW-Authenticate"), answer.headers["Content-Type"]

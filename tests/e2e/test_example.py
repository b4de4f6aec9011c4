"""`config.example.yaml` as it is, but for the two ports and the upstream, which may be taken on the machine that tests."""

import os
from pathlib import Path

import pytest
import requests
from sidecar import Doorward, password_hash

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.yaml"
GRANT = {"grant_type": "password", "username": "johndoe", "password": "secret"}


@pytest.fixture
def example(binary, tmp_path, shop):
    doorward = Doorward(binary, tmp_path, {}, [])
    text = EXAMPLE.read_text()
    for written, free in [("127.0.0.1:8080", "127.0.0.1:0"), ("127.0.0.1:9090", "127.0.0.1:0"), ("http://127.0.0.1:8000", shop.url)]:
        assert f": {written}\n" in text
        text = text.replace(f": {written}\n", f": {free}\n")
    doorward.config.write_text(text)
    (tmp_path / "users.yaml").unlink()
    doorward.start()
    yield doorward
    doorward.kill()


def test_it_starts_and_nobody_can_log_in_until_there_is_a_user(example, shop):
    token = f"http://{example.public}/token"
    refused = requests.post(token, data=GRANT)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert requests.get(f"http://{example.public}/items/plumbus").status_code == 401
    assert shop.seen() == []
    key = example.directory / "data" / "signing-key.pem"
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    example.write_users([{"username": "johndoe", "password_hash": password_hash("secret"), "scopes": ["me"]}])
    os.kill(example.process.pid, 1)
    example.output.wait_for(lambda line: "configuration reloaded" in line)
    session = requests.post(token, data=GRANT).json()
    assert session["scope"] == "me"
    answer = requests.get(f"http://{example.public}/users/me", headers={"Authorization": f"Bearer {session['access_token']}"})
    assert answer.status_code in (200, 404), "the application decides now"
    assert [seen.header("X-Forwarded-User") for seen in shop.seen("/users/me")] == ["johndoe"]

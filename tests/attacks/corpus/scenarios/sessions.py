"""Logins, refreshes, revocations."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sidecar import Doorward

from ..text import fill

def revoke(target, attempt, token):
    body = b"token=" + token
    connection = attempt.connection("revoker")
    head = f"POST /revoke-token HTTP/1.1\r\nHost: {target.words['host']}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    connection.send(fill(f"{head}Content-Length: {len(body)}\r\n\r\n", {}) + body)
    answer = attempt.read("revoker")
    assert answer.status == 200, f"the revocation was answered {answer}"
    return time.time()


def parallel_refreshes(target, attempt):
    """Fifty clients present one refresh token at once."""
    first = json.loads(post(target, "/token", "username=alice&password=alice-secret").body)["refresh_token"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(target, "/refresh-token", f"refresh_token={first}"), range(50)))
    statuses = {answer.status for answer in answers}
    successors = {json.loads(answer.body).get("refresh_token") for answer in answers}
    attempt.verdict.expected, attempt.verdict.got = "one successor", f"{statuses}, {len(successors)} successors"
    if statuses != {200} or len(successors) != 1:
        attempt.verdict.find("broken", f"50 refreshes were answered {statuses}, with {len(successors)} successors")
    again = post(target, "/refresh-token", f"refresh_token={successors.pop()}")
    if again.status != 200:
        attempt.verdict.find("differs", f"the successor was answered {again.status}")


def same_answers(target, attempt):
    """Every name gets the same answer to a login that fails, but for the time and the request's id."""
    answers = {}
    for name in attempt.words["names"].decode().split():
        answer = post(target, "/token", f"username={name}&password={attempt.words['password'].decode()}")
        fields = sorted((own.lower(), value) for own, value in answer.fields if own.lower() not in ("date", "x-request-id"))
        answers[name] = (answer.status, tuple(fields), answer.body)
    if len(set(answers.values())) != 1 or answer.status != 400:
        attempt.verdict.find("differs", f"the answers differ: {answers}")


def post(target, path, body):
    connection = target.connect()
    try:
        kind = "Content-Type: application/x-www-form-urlencoded"
        connection.send(f"POST {path} HTTP/1.1\r\nHost: {target.words['host']}\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        return connection.read()
    finally:
        connection.close()


def sample_as_it_is(target, attempt):
    """The sample configuration, its ports apart: it starts, and no name and password that anybody would try gets a token."""
    directory = target.process.directory / "sample"
    directory.mkdir()
    sample = (Path(__file__).resolve().parents[4] / "config.example.yaml").read_text(encoding="utf-8")
    process = Doorward(target.process.binary, directory, {}, [])
    (directory / "users.yaml").unlink()
    (directory / "doorward.yaml").write_text(re.sub(r"listen: 127\.0\.0\.1:\d+", "listen: 127.0.0.1:0", sample), encoding="utf-8")
    process.start()
    try:
        for name in ("admin", "root", "johndoe", "user", "demo", "doorward"):
            for password in ("admin", "password", "secret", "changeme", name):
                answer = process.post("/token", {"username": name, "password": password})
                if answer.status_code != 400:
                    attempt.verdict.find("hole", f"{name}/{password} was answered {answer.status_code}")
    finally:
        process.stop()

"""Connections: many requests on one, held open, too many of them."""

import time

from .. import http1
from ..http1 import Closed, TimedOut
from ..upstream import Script

def warm_up(target, attempt):
    """Leaves a connection to the upstream behind, which the next request is likely to get."""
    attempt._victim()


def hundred_in_one_write(target, attempt):
    """A hundred requests in one write, every other one with a token: each gets its own answer, or none."""
    host, token = target.words["host"], target.words["read"].decode()
    requests = []
    for number in range(100):
        credential = f"Authorization: Bearer {token}\r\n" if number % 2 else ""
        requests.append(f"GET /api/{number} HTTP/1.1\r\nHost: {host}\r\n{credential}\r\n")
    connection = attempt.connection("a")
    connection.send("".join(requests).encode())
    answered = 0
    for number in range(100):
        answer = attempt.read("a")
        if answer == "closed":
            break
        answered += 1
        wanted = (200, f"answer to /api/{number}".encode()) if number % 2 else (401, None)
        if answer.status != wanted[0] or wanted[1] not in (None, answer.body):
            attempt.verdict.find("broken", f"request {number} was answered {answer.status} {answer.body[:80]}")
    attempt.verdict.got = f"{answered} answers"
    head = "GET /api/{0} HTTP/1.1\nHost: {{{{host}}}}\nAuthorization: Bearer {{{{read}}}}\n{{{{added}}}}\nX-Auth-User: alice\nX-Auth-Roles: staff\nX-Auth-Issuer: {{{{issuer}}}}\n"
    return [head.format(number) for number in range(answered) if number % 2]


def held_open(target, attempt):
    """Sends `sent`, after a whole request if there is a `first` one, and waits for the server to close."""
    heads = open_and_greet(target, attempt, plain="plain" in attempt.words)
    connection, began = attempt.connections["a"], time.monotonic()
    connection.send(attempt.words["sent"])
    try:
        connection.read_to_end()
    except TimedOut:
        pass
    judge_within(attempt, time.monotonic() - began)
    return heads


def trickled(target, attempt):
    """A head of which a byte comes every fifth of a second."""
    heads = open_and_greet(target, attempt)
    connection, began = attempt.connections["a"], time.monotonic()
    connection.send(f"GET /public/y HTTP/1.1\r\nHost: {target.words['host']}\r\nX: ".encode())
    connection.stream.settimeout(0.2)
    while time.monotonic() - began < 8:
        connection.send(b"a")
        try:
            connection._more()
        except TimedOut:
            continue
        except Closed:
            break
    judge_within(attempt, time.monotonic() - began)
    return heads


def open_and_greet(target, attempt, plain=False):
    connection = attempt.connections["a"] = http1.Connection(target.address) if plain else target.connect()
    if not attempt.words["first"]:
        return []
    connection.send(attempt.words["first"])
    answer = attempt.read("a")
    assert answer != "closed" and answer.status == 200, f"the first request was answered {answer}"
    return ["GET /public/x HTTP/1.1\nHost: {{host}}\n{{added}}\n"]


def judge_within(attempt, seconds):
    within = float(attempt.words["within"])
    attempt.verdict.expected, attempt.verdict.got = f"closed within {within} s", f"{seconds:.1f} s"
    if seconds > within:
        attempt.verdict.find("differs", f"the connection was still there after {seconds:.1f} s")


def crowd(target, attempt):
    """With room for four: one waits for its answer, three are idle, and a fifth comes."""
    with target.upstream.changed:
        target.upstream.script = Script(b"", then="silent")
    busy = attempt.connection("busy")
    busy.send(f"GET /public/x HTTP/1.1\r\nHost: {target.words['host']}\r\n\r\n".encode())
    assert target.upstream.wait_for(lambda: len(target.upstream.requests) == 1), "the request did not arrive"
    for name in ("idle longest", "idle longer", "idle"):
        path = attempt.greet(name)
        assert path, f"connection {name!r} was not served"
    if not attempt.greet("fifth"):
        attempt.verdict.find("broken", "the fifth connection was not served")
    try:
        attempt.connections["idle longest"].read_to_end()
    except TimedOut:
        attempt.verdict.find("differs", "the connection that was idle longest is still there")
    busy.stream.settimeout(0.1)
    try:
        busy._more()
    except TimedOut:
        pass
    except Closed:
        attempt.verdict.find("broken", "the connection with a request in flight was closed")
    for name in list(attempt.connections):
        attempt.connections.pop(name).close()
    return ["GET /public/x HTTP/1.1\nHost: {{host}}\n{{added}}\n"]


def slow_form(target, attempt):
    """The body of a login, a byte every half second."""
    connection, began = attempt.connection("a"), time.monotonic()
    head = f"POST /token HTTP/1.1\r\nHost: {target.words['host']}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n"
    connection.send(head.encode())
    connection.stream.settimeout(0.5)
    while time.monotonic() - began < 15:
        connection.send(b"a")
        try:
            connection._more()
            break
        except TimedOut:
            continue
        except Closed:
            break
    lasted = time.monotonic() - began
    answered = connection.ahead.split(b"\r\n")[0]
    attempt.verdict.expected, attempt.verdict.got = "408 in 10 s", f"{answered!r} after {lasted:.1f} s"
    if lasted > 11.5 or answered and not answered.startswith(b"HTTP/1.1 408"):
        attempt.verdict.find("differs", f"the body had {lasted:.1f} s, and was answered {answered!r}")

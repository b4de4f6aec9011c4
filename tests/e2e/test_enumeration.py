"""A failed login tells nobody which names exist: not by its bytes, not by its time."""

import time
from statistics import median

from wire import Connection, lines

ROUNDS = 60


def test_every_failed_login_looks_and_lasts_alike(start, shop):
    # What is throttled is not hashed, so the rounds would tell nothing.
    doorward = start(shop.url, {"users": {"throttle": None}})
    bodies = {name: f"grant_type=password&username={name}&password=wrong".encode() for name in ("johndoe", "nobody-of-this-name")}
    took = {name: [] for name in bodies}
    answers = {name: set() for name in bodies}
    with Connection(doorward.public) as connection:
        # In turn, so that whatever else the machine does slows both.
        for _ in range(ROUNDS):
            for name, body in bodies.items():
                head = ["POST /token HTTP/1.1", f"Host: {doorward.public}", "Content-Type: application/x-www-form-urlencoded"]
                request = lines(*head, f"Content-Length: {len(body)}", body=body)
                began = time.perf_counter()
                answer = connection.exchange(request)
                took[name].append(time.perf_counter() - began)
                kept = tuple(header for header in answer.headers if header[0] != "Date")
                answers[name].add((answer.status, kept, answer.body))
    known, unknown = answers.values()
    assert len(known) == 1 and known == unknown
    known, unknown = (median(times) for times in took.values())
    # Without a hash for unknown names it would be a twentieth.
    assert 0.8 < unknown / known < 1.25, (known, unknown)

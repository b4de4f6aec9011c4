"""Case 49 from outside: clients behind a proxy, each with an allowance of failed logins of its own."""

from sidecar import password_hash, until

USERS = [
    {"username": "johndoe", "password_hash": password_hash("secret", memory_kib=64, passes=1), "scopes": ["items"]},
    {"username": "alice", "password_hash": password_hash("secret", memory_kib=64, passes=1), "scopes": ["items"]},
]
TRUSTING = {"server": {"trusted_proxies": ["127.0.0.1"]}, "telemetry": {"format": "json"}}
WARNING = "server.trusted_proxies"


def log_in(doorward, client, password, username="johndoe"):
    headers = {"X-Forwarded-For": client} if client else {}
    return doorward.post("/token", {"username": username, "password": password}, headers=headers)


def fixed(answer):
    """All of it that two answers of the same kind have in common."""
    varying = {"date", "retry-after"}
    return answer.status_code, answer.content, [header for header in answer.headers.items() if header[0].lower() not in varying]


def test_clients_of_a_trusted_proxy_are_throttled_each_for_itself(shop, start):
    doorward = start(shop.url, TRUSTING, USERS)
    assert log_in(doorward, "198.51.100.7", "secret").status_code == 200
    for attempt in range(10):
        answer = log_in(doorward, f"192.0.2.{attempt}", "wrong")
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    hashed = doorward.metric("doorward_password_verify_duration_seconds_count")

    refused = [log_in(doorward, "192.0.2.66", password) for password in ("wrong", "secret")]
    for _ in range(10):
        assert log_in(doorward, "192.0.2.67", "wrong", username="nobody").status_code == 400
    refused.append(log_in(doorward, "192.0.2.68", "secret", username="nobody"))
    for answer in refused:
        assert (answer.status_code, answer.json()["error"]) == (429, "slow_down")
        assert answer.headers["Cache-Control"] == "no-store"
        assert 250 < int(answer.headers["Retry-After"]) <= 338
    assert fixed(refused[0]) == fixed(refused[1]) == fixed(refused[2])
    assert doorward.metric("doorward_password_verify_duration_seconds_count") == hashed + 10, "only those of nobody"
    doorward.counts(3, "doorward_login_throttled_total")
    doorward.counts(3, "doorward_token_requests_total", grant_type="password", result="slow_down")
    until(lambda: len(doorward.records(audit="refused", reason="throttled", what="login")) == 3, what="three records")
    assert {record["address"] for record in doorward.records(audit="refused", reason="throttled")} == {"192.0.2.66", "192.0.2.68"}

    assert log_in(doorward, "198.51.100.7", "secret").status_code == 200, "where the user has logged in before"
    assert log_in(doorward, "192.0.2.66", "secret", username="alice").status_code == 200, "others are not concerned"
    assert WARNING not in doorward.output.text, "every client has an address of its own"
    assert shop.seen() == []


def test_an_edit_of_the_users_gives_nobody_new_guesses(shop, start):
    doorward = start(shop.url, TRUSTING | {"users": {"throttle": {"per_user": "3/1h"}}}, USERS)
    for _ in range(3):
        assert log_in(doorward, "192.0.2.1", "wrong").status_code == 400
    assert log_in(doorward, "192.0.2.1", "secret").status_code == 429
    doorward.write_users([*USERS, USERS[0] | {"username": "new"}])
    until(lambda: len(doorward.records(audit="reloaded", ok=True)) == 1, what="the new user")
    assert log_in(doorward, "192.0.2.2", "secret", username="new").status_code == 200
    assert log_in(doorward, "192.0.2.1", "secret").status_code == 429
    doorward.write(doorward.settings | {"users": {"throttle": {"per_user": None}}})
    until(lambda: len(doorward.records(audit="reloaded", ok=True)) == 2, what="no throttle")
    assert log_in(doorward, "192.0.2.1", "secret").status_code == 200


def test_it_is_told_once_that_a_proxy_is_not_trusted(shop, start):
    doorward = start(shop.url, {"telemetry": {"format": "json"}}, USERS)
    for attempt in range(50):
        answer = log_in(doorward, f"192.0.2.{attempt}", "wrong", username=f"name-{attempt}")
        assert answer.status_code == 400, "nobody believes this header"
    assert log_in(doorward, "192.0.2.99", "secret").status_code == 429, "all clients are one"
    doorward.counts(1, "doorward_login_throttled_total")
    until(lambda: WARNING in doorward.output.text, what="the warning")
    assert doorward.output.text.count(WARNING) == 1
    [told] = [record for record in doorward.records() if WARNING in str(record)]
    assert told["address"] == "127.0.0.1"
    assert "name-" not in str(told)

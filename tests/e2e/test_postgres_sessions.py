"""What becomes of tokens, sessions and streams when users in PostgreSQL change, and when nobody can tell whether they did."""

import threading
import time
import uuid

import pytest
from sidecar import until
from streams import ENDS_WITHIN, POLICY
from test_postgres_users import QUICK, RIGHT, database, fresh, log_in, over, people, server  # noqa: F401
from test_recheck import refusals
from test_reload import reloaded
from test_streaming import Stream, ended, event

RECHECK = {"users": {"recheck": "1s"}}
# The time that is asked for, and some for a machine that is busy with other tests.
KNOWN_WITHIN = 1.5

QUERY = "SELECT name AS username, hash AS password_hash, scopes, disabled, claims FROM people WHERE name = $1"


def table(server):
    server.execute("CREATE TABLE people (name text, hash text, scopes text DEFAULT 'me items', disabled boolean DEFAULT false, claims json)")
    server.execute("INSERT INTO people VALUES ('ada', %s), ('bob', %s)", (QUICK, QUICK))


CHANGES = {
    # What becomes of the user, and what a token of before is answered at /items.
    "disabled": ("UPDATE people SET disabled = true WHERE name = 'ada'", 401, "user-disabled"),
    "deleted": ("DELETE FROM people WHERE name = 'ada'", 401, "user-disabled"),
    "demoted": ("UPDATE people SET scopes = 'me' WHERE name = 'ada'", 403, "insufficient-scope"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_table_holds_for_tokens_of_before_within_the_time(change, database, over, shop):
    statement, status, reason = CHANGES[change]
    table(database)
    doorward = over({"url": database.url(), "query": QUERY}, RECHECK).start()
    token, others = doorward.login("ada", RIGHT)["access_token"], doorward.login("bob", RIGHT)["access_token"]
    # Until it was asked for by a request, and not by the login.
    used = time.monotonic()
    while time.monotonic() - used < 1.2:
        assert doorward.call("/items", token).status_code == 200
    database.execute(statement)
    before = time.monotonic()
    [answer] = until(lambda: refusals(doorward, "/items", token), deadline=10, what="the first refusal")
    took = time.monotonic() - before
    assert took <= KNOWN_WITHIN, took
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    until(lambda: doorward.call("/items", others).status_code == 200, what="another user's token")
    shop.forget()
    for _ in range(3):
        assert doorward.call("/items", token).status_code == status
    assert not shop.seen("/items"), "nothing of it reaches the upstream"


def test_killed_and_restarted_while_tokens_are_rechecked(fresh, over):
    fresh.start()
    people(fresh, *(f"user{number}" for number in range(4)))
    query = "SELECT name AS username, hash AS password_hash, 'me items' AS scopes FROM people WHERE name = $1"
    doorward = over({"url": fresh.url(), "query": query, "pool": 3}, RECHECK).start()
    tokens = [doorward.login(f"user{number}", RIGHT)["access_token"] for number in range(4)]
    answers, done = [], threading.Event()

    def load(token):
        while not done.is_set():
            answer = doorward.call("/items", token)
            answers.append((answer.status_code, None if answer.status_code == 200 else answer.json().get("reason"), answer.elapsed.total_seconds()))

    def all_see(status):
        start = len(answers)
        until(lambda: sum(a[0] == status for a in answers[start:]) > 20, what=f"answers {status}")

    threads = [threading.Thread(target=load, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            all_see(200)
            fresh.kill()
            all_see(503)
            assert doorward.metric("doorward_store_errors_total", op="recheck") > 0
            fresh.start()
            all_see(200)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert {a[:2] for a in answers} == {(200, None), (503, "store-unavailable")}
    assert max(a[2] for a in answers) < 2, "a second for the answer"


# A fault of the row or the query, and how it is mended.
FAULTS = {
    "a hash that is cut short": ("UPDATE people SET hash = left(hash, 40)", "UPDATE people SET hash = %(hash)s"),
    "a hash that nobody knows": ("UPDATE people SET hash = '$y$j9T$x$y'", "UPDATE people SET hash = %(hash)s"),
    "a scope that is none": ("UPDATE people SET scopes = 'me \"x\"'", "UPDATE people SET scopes = 'me items'"),
    "a claim that is reserved": ("UPDATE people SET claims = '{\"sub\": \"mallory\"}'", "UPDATE people SET claims = NULL"),
    "two rows": ("INSERT INTO people VALUES ('ada', %(hash)s)", "DELETE FROM people WHERE ctid <> (SELECT min(ctid) FROM people)"),
    "an error of the data": ("UPDATE people SET divisor = 0", "UPDATE people SET divisor = 1"),
    "another user": ("UPDATE people SET shown = 'mallory'", "UPDATE people SET shown = NULL"),
}
FAULTY = """SELECT coalesce(shown, name) AS username, hash AS password_hash, scopes, disabled, claims, (1 / divisor)::text AS full_name
  FROM people WHERE name = $1"""


def faulty(database, over, changes=None):
    table(database)
    database.execute("DELETE FROM people WHERE name = 'bob'")
    database.execute("ALTER TABLE people ADD divisor int DEFAULT 1, ADD shown text")
    return over({"url": database.url(), "query": FAULTY}, changes).start()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_may_be_a_mistake_refuses_and_ends_no_session(fault, database, over):
    broken, mended = FAULTS[fault]
    doorward = faulty(database, over, RECHECK)
    session = doorward.login("ada", RIGHT)
    database.execute(broken, {"hash": QUICK})
    for _ in range(2):
        answer = doorward.refresh(session["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    if fault != "another user":
        assert log_in(doorward, "ada").status_code == 400, "at a login it is nobody"
    assert doorward.metric("doorward_store_errors_total", op="users") == 2
    assert doorward.probe("/readyz").text == "degraded: users\n" and "users.postgres.query" in doorward.probe("/readyz?verbose").text
    [answer] = until(lambda: refusals(doorward, "/items", session["access_token"]), what="a refusal")
    assert (answer.status_code, answer.json()["reason"]) == (503, "store-unavailable")
    assert "mallory" not in doorward.output.text and QUICK[:40] not in doorward.output.text
    database.execute(mended, {"hash": QUICK})
    answer = doorward.refresh(session["refresh_token"])
    assert answer.status_code == 200, "it was neither ended nor used up"
    until(lambda: doorward.call("/items", answer.json()["access_token"]).status_code == 200, what="a token")


@pytest.mark.parametrize(
    "ends",
    [
        "disabled = true",
        "disabled = NULL",
        # A mistake in another column does not undo it.
        "disabled = true, hash = 'broken', claims = '[]'",
        "hash = NULL",
        "hash = ''",
        "hash = '!' || hash",
        "hash = '*'",
        "name = 'mallory'",
    ],
)
def test_what_is_meant_ends_sessions_for_good(ends, database, over):
    doorward = faulty(database, over)
    session = doorward.login("ada", RIGHT)
    database.execute(f"UPDATE people SET {ends}")
    assert log_in(doorward, "ada").status_code == 400
    for _ in range(2):
        answer = doorward.refresh(session["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        database.execute("UPDATE people SET name = 'ada', hash = %s, disabled = false, claims = NULL", (QUICK,))


def test_a_subject_that_the_statement_cannot_take_ends_no_session(database, over):
    """By a configuration that looks subjects up as something else than what they are."""
    table(database)
    database.execute("ALTER TABLE people ADD id int DEFAULT 7")
    by_name = {"url": database.url(), "query": QUERY}
    doorward = over(by_name).start()
    session = doorward.login("ada", RIGHT)
    wrong = by_name | {"query_by_subject": QUERY.replace("name = $1", "id = $1")}
    doorward.write(doorward.settings | {"users": doorward.settings["users"] | {"postgres": wrong}})
    assert reloaded(doorward) == "ok"
    assert doorward.refresh(session["refresh_token"]).status_code == 503
    doorward.write(doorward.settings | {"users": doorward.settings["users"] | {"postgres": by_name}})
    assert reloaded(doorward) == "ok"
    assert doorward.refresh(session["refresh_token"]).status_code == 200


def test_a_reload_asks_for_nobody_anew(database, over):
    table(database)
    database.execute("CREATE SEQUENCE asked")
    counted = QUERY.replace("SELECT", "SELECT nextval('asked')::text AS email,")
    doorward = over({"url": database.url(), "query": counted}, {"users": {"recheck": "1h"}}).start()
    token = doorward.login("ada", RIGHT)["access_token"]

    def asked():
        return database.execute("SELECT last_value FROM asked")[0][0]

    assert doorward.call("/items", token).status_code == 200 and asked() == 1
    assert reloaded(doorward) == "ok"
    assert doorward.call("/items", token).status_code == 200 and asked() == 1
    # What is known is of another time: it holds for another while.
    doorward.write(doorward.settings | {"users": doorward.settings["users"] | {"recheck": "30m"}})
    assert reloaded(doorward) == "ok"
    assert doorward.call("/items", token).status_code == 200 and asked() == 2


def test_an_answer_that_comes_late_counts(database, over):
    """A question is not broken off after the second that a request waits: its connection would go back with a statement running."""
    table(database)
    slow = {"query": QUERY, "query_by_subject": QUERY + " AND pg_sleep(1.5) IS NOT NULL"}
    doorward = over({"url": database.url(), "query_timeout": "5s", "pool": 1} | slow, {"users": {"recheck": "1h"}}).start()
    token = doorward.login("ada", RIGHT)["access_token"]
    # What the login knew is forgotten.
    doorward.write(doorward.settings | {"users": doorward.settings["users"] | {"recheck": "30m"}})
    assert reloaded(doorward) == "ok"
    assert doorward.call("/items", token).status_code == 503
    until(lambda: doorward.call("/items", token).status_code == 200, what="the answer")
    assert log_in(doorward, "ada").status_code == 200, "the one connection is free"


def test_streams_outlive_an_outage_and_end_with_their_user(fresh, over, applications):
    fresh.start()
    table(fresh)
    doorward = over({"url": fresh.url(), "query": QUERY}, RECHECK | {"policy": POLICY, "upstream": {"url": applications("streams").url}}).start()
    token = doorward.login("ada", RIGHT)["access_token"]
    with Stream(doorward) as stream:
        events = stream.get("/events?every=0.2", token)
        fresh.kill()
        until(lambda: doorward.call("/kept/events", token, stream=True).status_code == 503, what="a 503")
        # What was known is too old by now, and asking fails; streams are looked at four times a second.
        refused = time.monotonic()
        while time.monotonic() - refused < 1:
            assert event(events).startswith("event ")
        fresh.start()
        fresh.execute("UPDATE people SET disabled = true")
        before = time.time()
        # A second in which the store is left alone after it has failed.
        assert ended(events) - before <= ENDS_WITHIN + 1


def test_a_query_without_its_where_is_not_read_to_its_end(database, over):
    table(database)
    everybody = "SELECT name AS username, hash AS password_hash FROM people, generate_series(1, 20000000) WHERE $1::text IS NOT NULL"
    doorward = over({"url": database.url(), "query": everybody, "query_timeout": "20s"}).start()
    before = doorward.resident_bytes()
    assert log_in(doorward, "ada").status_code == 400
    assert doorward.resident_bytes() - before < 100 << 20
    running = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'doorward' AND state = 'active'"
    until(lambda: not database.execute(running), what="the end of the query")


@pytest.mark.parametrize("cast", ["", "::text::uuid"])
def test_a_user_has_one_spelling(cast, database, over):
    """Each other one would be a name of its own where failed logins are counted."""
    key = uuid.uuid4()
    database.execute("CREATE TABLE people (key uuid, hash text)")
    database.execute("INSERT INTO people VALUES (%s, %s)", (key, QUICK))
    query = f"SELECT key AS username, hash AS password_hash FROM people WHERE key = $1{cast}"
    doorward = over({"url": database.url(), "query": query}).start()
    for spelling in (str(key).upper(), f"{{{key}}}", key.hex, f"urn:uuid:{key}"):
        answer = log_in(doorward, spelling)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), spelling
    doorward.login(str(key), RIGHT)

"""A weak hash in a table is replaced at login by the configured UPDATE, and by none that would change other rows."""

from sidecar import password_hash, until
from test_postgres_users import PLAIN, RIGHT, database, log_in, over, people, server  # noqa: F401

REHASH = "UPDATE people SET hash = $2 WHERE name = $1"


def hashes(database):
    return dict(database.execute("SELECT name, hash FROM people"))


def test_a_weak_hash_is_replaced(database, over):
    people(database, "ada", "bob")
    before = hashes(database)
    doorward = over({"url": database.url(), "query": PLAIN, "rehash": REHASH}).start()
    assert log_in(doorward, "ada", "wrong").status_code == 400
    session = doorward.login("ada", RIGHT)
    until(lambda: hashes(database)["ada"] != before["ada"], what="the new hash")
    assert hashes(database)["ada"].startswith("$argon2id$") and hashes(database)["bob"] == before["bob"]
    assert doorward.refresh(session["refresh_token"]).status_code == 200, "the session is carried over"
    doorward.login("ada", RIGHT)


def test_an_update_of_several_rows_is_undone(database, over):
    people(database, "ada", "bob")
    before = hashes(database)
    everybody = "UPDATE people SET hash = $2 WHERE $1::text IS NOT NULL"
    doorward = over({"url": database.url(), "query": PLAIN, "rehash": everybody}).start()
    doorward.login("ada", RIGHT)
    doorward.output.wait_for(lambda line: "would change 2 rows in place of one" in line)
    assert hashes(database) == before
    # It would fail as before, and a hash was made for it each time.
    for _ in range(5):
        doorward.login("ada", RIGHT)
    doorward.stop()
    assert doorward.output.text.count("would change 2 rows") == 1


def test_a_password_that_is_being_changed_does_not_come_back(database, over):
    people(database, "ada")
    changed = password_hash("another", memory_kib=64, passes=1)
    doorward = over({"url": database.url(), "query": PLAIN, "rehash": REHASH, "query_timeout": "10s"}).start()
    waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'doorward' AND wait_event_type = 'Lock'"
    with database.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("UPDATE people SET hash = %s WHERE name = 'ada'", (changed,))
        # The look-up still sees the old one, and the UPDATE waits for the row.
        doorward.login("ada", RIGHT)
        until(lambda: database.execute(waiting), what="the UPDATE")
        connection.execute("COMMIT")
    until(lambda: not database.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'doorward' AND state <> 'idle'"), what="its end")
    assert hashes(database)["ada"] == changed
    assert log_in(doorward, "ada").status_code == 400
    doorward.login("ada", "another")
    until(lambda: hashes(database)["ada"] != changed, what="the new hash of the new password")

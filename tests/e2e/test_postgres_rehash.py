"""A weak hash in a table is replaced at login by the configured UPDATE, and by none that would change other rows."""

from sidecar import until
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

"""Users in other applications' tables, as these made them: they log in, and nothing in the tables changes."""

import json
import signal
import subprocess
import sys
import threading
import time
import uuid

import jwt
import pytest
from certificates import Authority
from passlib.hash import bcrypt
from postgres import PASSWORD, Postgres
from sidecar import APPS, merge, password_hash, plain_session, until
from sqlmodel import Field, Session, SQLModel, create_engine
from test_hashes import failed_login

RIGHT = "correct horse"
# Cheap, where a test is not about hashes.
QUICK = password_hash(RIGHT, memory_kib=64, passes=1)


class User(SQLModel, table=True):
    """As FastAPI's full-stack template has it; there the address is an `EmailStr`, which makes the same column."""

    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    email: str = Field(unique=True, index=True, max_length=255)
    is_active: bool = True
    is_superuser: bool = False
    full_name: str | None = Field(default=None, max_length=255)
    hashed_password: str


FOUND = """SELECT id AS subject, email AS username, email, hashed_password AS password_hash, is_active, full_name,
  CASE WHEN is_superuser THEN 'me items items:write' ELSE 'me items' END AS scopes FROM "user" WHERE """
TEMPLATE = {"query": FOUND + "email = $1", "query_by_subject": FOUND + "id = $1"}

DJANGO = """SELECT u.username, u.password AS password_hash, u.is_active, u.email, concat_ws(' ', u.first_name, u.last_name) AS full_name,
  array_agg(g.name ORDER BY g.name) AS roles, 'me' AS scopes
  FROM auth_user u LEFT JOIN auth_user_groups m ON m.user_id = u.id LEFT JOIN auth_group g ON g.id = m.group_id
  WHERE u.username = $1 GROUP BY u.id"""

PLAIN = "SELECT name AS username, hash AS password_hash, 'me' AS scopes FROM people WHERE name = $1"


@pytest.fixture(scope="module")
def server():
    server = Postgres().start()
    yield server
    server.remove()


@pytest.fixture
def fresh():
    """A server that a test may kill."""
    server = Postgres(1)
    yield server
    server.remove()


@pytest.fixture
def database(server):
    server.execute("DROP SCHEMA public CASCADE")
    server.execute("CREATE SCHEMA public")
    return server


@pytest.fixture
def over(prepare, shop):
    """Makes a doorward over a database, not started yet."""

    def make(keys, changes=None, name="doorward"):
        doorward = prepare(shop.url, merge({"telemetry": {"format": "json"}}, changes or {}), name=name)
        users = doorward.settings["users"]
        del users["file"]
        users["postgres"] = keys
        doorward.write(doorward.settings)
        return doorward

    return make


def people(server, *names):
    server.execute("CREATE TABLE people (name text, hash text)")
    for name in names:
        server.execute("INSERT INTO people VALUES (%s, %s)", (name, QUICK))


def log_in(doorward, username, password=RIGHT):
    return doorward.post("/token", {"username": username, "password": password})


def refused_alike(doorward, names):
    """Asserts that these logins, all but the first with the right password, get the same bytes."""
    wrong = failed_login(doorward, "nobody-of-this-name", "wrong")
    assert wrong[0] == 400
    for name in names:
        assert failed_login(doorward, name, "correct%20horse") == wrong, name


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def test_users_of_the_full_stack_template(database, over, shop):
    engine = create_engine(database.socket_url("+psycopg"))
    SQLModel.metadata.create_all(engine)
    hashed = bcrypt.using(rounds=6).hash(RIGHT)
    with Session(engine) as session:
        ada = User(email="ada@example.com", full_name="Ada Lovelace", hashed_password=hashed, is_superuser=True)
        gone = User(email="gone@example.com", hashed_password=hashed, is_active=False)
        session.add_all([ada, gone])
        session.commit()
        subject = str(ada.id)
    engine.dispose()
    before = database.execute('SELECT "user"::text, xmin::text FROM "user" ORDER BY email')

    doorward = over(TEMPLATE | {"url": database.url(driver="+psycopg")}).start()
    session = doorward.login("ada@example.com", RIGHT)
    claims = claims_of(session["access_token"])
    assert (claims["sub"], claims["email"], claims["scope"]) == (subject, "ada@example.com", "me items items:write")
    answer = doorward.refresh(session["refresh_token"])
    assert answer.status_code == 200, answer.text
    session = answer.json()
    assert doorward.call("/items", session["access_token"]).status_code == 200
    assert [seen.header("X-Forwarded-User") for seen in shop.seen("/items")] == [subject]
    refused_alike(doorward, ["gone%40example.com", "Ada%40example.com", subject])
    assert failed_login(doorward, "ada%40example.com", "wrong") == failed_login(doorward, "nobody", "wrong")
    assert database.execute('SELECT "user"::text, xmin::text FROM "user" ORDER BY email') == before

    database.execute('UPDATE "user" SET is_active = false')
    answer = doorward.refresh(session["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_users_of_django(database, over):
    def django():
        command = [sys.executable, str(APPS / "django_users.py"), str(database.socket)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert django() == ["ada", "bob"]
    before = database.execute("SELECT auth_user::text, xmin::text FROM auth_user ORDER BY id")
    doorward = over({"url": database.socket_url(), "query": DJANGO}, {"tokens": {"claims": ["email", "roles", "name"]}}).start()
    claims = claims_of(doorward.login("ada", RIGHT)["access_token"])
    shown = {name: claims.get(name) for name in ("sub", "email", "name", "roles")}
    assert shown == {"sub": "ada", "email": "ada@example.com", "name": "Ada Lovelace", "roles": ["editors", "staff"]}
    session = doorward.login("bob", RIGHT)
    assert not {"email", "name", "roles"} & claims_of(session["access_token"]).keys(), "empty texts and no groups are nothing"
    assert doorward.refresh(session["refresh_token"]).status_code == 200
    refused_alike(doorward, ["gone", "elsewhere", "Ada"])
    assert database.execute("SELECT auth_user::text, xmin::text FROM auth_user ORDER BY id") == before
    assert django() == ["ada", "bob"], "Django lets in whom it did"


def test_killed_and_restarted_under_load(fresh, over):
    fresh.start()
    people(fresh, *(f"user{number}" for number in range(4)))
    doorward = over({"url": fresh.url(), "query": PLAIN, "pool": 3}, {"users": {"hashing": {"queue": 1000}}}).start()
    answers, done = [], threading.Event()

    def load(name):
        session, refresh = plain_session(), None
        while not done.is_set():
            if refresh is None:
                answer = session.post(doorward.url("/token"), data={"username": name, "password": RIGHT})
            else:
                answer = session.post(doorward.url("/refresh-token"), data={"refresh_token": refresh})
            what = "login" if refresh is None else "refresh"
            answers.append((what, answer.status_code, answer.headers.get("Retry-After"), answer.text, answer.elapsed.total_seconds()))
            # In turn, and a refused refresh must not have used the token up.
            refresh = None if answer.status_code == 200 and what == "refresh" else answer.json().get("refresh_token", refresh)

    def after(start, what, status):
        return until(lambda: [a for a in answers[start:] if a[:2] == (what, status)], what=f"a {what} answered {status}")

    threads = [threading.Thread(target=load, args=(f"user{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            after(len(answers), "login", 200), after(len(answers), "refresh", 200)
            fresh.kill()
            down = len(answers)
            until(lambda start=down: any(a[1] == 503 for a in answers[start:]), what="a 503")
            until(lambda: "degraded: users" in doorward.probe("/readyz").text, what="the detail of /readyz")
            assert doorward.probe("/readyz").status_code == 200, "tokens pass without the database"
            fresh.start()
            up = len(answers)
            after(up, "login", 200), after(up, "refresh", 200)
            until(lambda: doorward.probe("/readyz").text == "ok\n", what="/readyz as before")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert {a[1] for a in answers} == {200, 503}, {a[:4] for a in answers if a[1] not in (200, 503)}
    failed = [a for a in answers if a[1] == 503]
    assert all(json.loads(a[3])["error"] == "temporarily_unavailable" and int(a[2]) > 0 for a in failed)
    assert max(a[4] for a in failed) < 3, "a second for the connection, one for the answer"
    assert doorward.metric("doorward_store_errors_total", op="users") == len(failed)


def test_a_frozen_database_is_503_in_time(fresh, over):
    fresh.start()
    people(fresh, "ada")
    doorward = over({"url": fresh.url(), "query": PLAIN, "connect_timeout": "500ms", "query_timeout": "500ms"}).start()
    doorward.login("ada", RIGHT)
    fresh.signal(signal.SIGSTOP)
    for _ in range(3):
        began = time.monotonic()
        answer = log_in(doorward, "ada")
        took = time.monotonic() - began
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert took < 2, took
    until(lambda: "[-] users: " in doorward.probe("/readyz?verbose").text, what="the detail of /readyz")
    fresh.signal(signal.SIGCONT)
    until(lambda: log_in(doorward, "ada").status_code == 200, what="a login")


def test_a_look_up_that_takes_too_long_is_given_up_and_cancelled(database, over):
    people(database, "ada")
    slow = "SELECT name AS username, hash AS password_hash, pg_sleep(60)::text AS nothing FROM people WHERE name = $1"
    doorward = over({"url": database.url(), "query": slow, "query_timeout": "300ms", "pool": 1}).start()
    assert log_in(doorward, "ada").status_code == 503
    running = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'doorward' AND state = 'active'"
    until(lambda: not database.execute(running), what="the end of the query")
    assert log_in(doorward, "nobody").status_code == 400, "the one connection of the pool is free again"


def test_it_starts_without_the_database_and_finds_it_later(fresh, over):
    doorward = over({"url": fresh.url(), "query": PLAIN}).start()
    assert log_in(doorward, "ada").status_code == 503
    assert PASSWORD not in doorward.output.text
    fresh.start()
    people(fresh, "ada")
    until(lambda: doorward.probe("/readyz").text == "ok\n", what="/readyz without a login")
    doorward.login("ada", RIGHT)


def test_statements_that_do_not_fit_are_told_with_a_cure_and_heal(database, over):
    doorward = over({"url": database.url(), "query": PLAIN}).start()
    doorward.output.wait_for(lambda line: "`users.postgres.query` cannot be used" in line and "people" in line and "42P01" in line)
    assert log_in(doorward, "ada").status_code == 503
    people(database, "ada")
    until(lambda: log_in(doorward, "ada").status_code == 200, what="a login")


@pytest.mark.parametrize(
    "keys, told",
    [
        ({"query": "SELECT name AS username FROM people WHERE name = $1"}, "no column `password_hash`"),
        ({"query": "SELECT hash AS password_hash FROM people WHERE name = $1"}, "no column `username`"),
        ({"query": PLAIN.replace("username", "subject")}, "add `users.postgres.query_by_subject`"),
        ({"query": "SELECT name AS username, 1 AS password_hash FROM people WHERE name = $1"}, "must be a text"),
        ({"query": PLAIN + " AND hash = $2"}, "must have one parameter"),
        ({"query": "SELEKT $1"}, "syntax error"),
        ({"query": PLAIN, "rehash": "UPDATE people SET hash = $2 WHERE nome = $1"}, "`users.postgres.rehash` cannot be used"),
        ({"query": PLAIN, "query_by_subject": "SELECT $1"}, "`users.postgres.query_by_subject` cannot be used"),
    ],
)
def test_what_is_wrong_with_a_statement_is_told_at_the_start(keys, told, database, over):
    people(database, "ada")
    doorward = over(keys | {"url": database.socket_url()}).start()
    doorward.output.wait_for(lambda line: told in line and '"level":"error"' in line)
    assert log_in(doorward, "ada").status_code == (503 if len(keys) == 1 else 200)
    assert doorward.probe("/readyz").text == "degraded: users\n"


def test_a_table_that_is_altered_meanwhile(database, over):
    people(database, "ada")
    every = "SELECT *, name AS username, hash AS password_hash FROM people WHERE name = $1"
    doorward = over({"url": database.socket_url(), "query": every, "pool": 1}).start()
    doorward.login("ada", RIGHT)
    doorward.output.wait_for(lambda line: "mean nothing here" in line and "hash" in line)
    database.execute("ALTER TABLE people ADD COLUMN disabled boolean NOT NULL DEFAULT false")
    doorward.login("ada", RIGHT)
    database.execute("UPDATE people SET disabled = true")
    assert log_in(doorward, "ada").status_code == 400


def test_names_are_data(database, over):
    people(database, "ada", "o'brien; --")
    doorward = over({"url": database.url(), "query": PLAIN}, {"users": {"throttle": None}}).start()
    tried = ["' OR '1'='1", "ada' --", "ada'; DROP TABLE people; --", "$1", "ada\\", "%", "a_a", "ada ", "ADA", "\ud7ff", "'||(SELECT hash FROM people)||'"]
    wrong = failed_login(doorward, "nobody", "wrong")
    for name in tried:
        answer = log_in(doorward, name)
        assert (answer.status_code, answer.content) == (400, wrong[2]), name
    assert claims_of(doorward.login("o'brien; --", RIGHT)["access_token"])["sub"] == "o'brien; --"
    assert len(database.execute("SELECT * FROM people")) == 2


def test_names_that_the_statement_cannot_take_are_nobodys(database, over):
    """A number, a UUID, a cast in the statement: what is none is a wrong name, and no fault of the database."""
    database.execute("CREATE TABLE people (id integer, key uuid, hash text)")
    key = uuid.uuid4()
    database.execute("INSERT INTO people VALUES (7, %s, %s)", (key, QUICK))
    cases = [
        ("id", "id = $1", "7", ["07", "%2B7", "%207"]),
        ("key", "key = $1", str(key), [str(key).upper(), key.hex]),
        ("key", "key = $1::text::uuid", str(key), [str(key).upper(), key.hex]),
    ]
    for number, (column, where, name, spellings) in enumerate(cases):
        query = f"SELECT {column} AS username, hash AS password_hash FROM people WHERE {where}"
        doorward = over({"url": database.socket_url(), "query": query}, name=f"doorward{number}").start()
        session = doorward.login(name, RIGHT)
        assert claims_of(session["access_token"])["sub"] == name
        assert doorward.refresh(session["refresh_token"]).status_code == 200
        refused_alike(doorward, ["ada", "99999999999999999999", "-", *spellings])
        assert "99999999999999999999" not in doorward.output.text, "a message may show the name, and people type their password there"


def test_rows_that_are_unfit_refuse_that_user_alone(database, over):
    database.execute(
        "CREATE TABLE people (name text, hash text, active boolean DEFAULT true, disabled boolean DEFAULT false,"
        " scopes text[], roles json, claims jsonb)"
    )
    unfit = {
        "nohash": {"hash": None},
        "md5": {"hash": "md5$seasalt$0cbc6611f5540bd0809a388dc95a615b"},
        "inactive": {"active": False},
        "unknown": {"active": None},
        "disabled": {"disabled": True},
        "client:svc": {},
        "reserved": {"claims": '{"sub": "ada"}'},
        "attribute": {"claims": '{"roles": ["admin"]}'},
        "noobject": {"claims": "[1]"},
        "badscope": {"scopes": ['a"b']},
        "badroles": {"roles": '{"admin": true}'},
    }
    fit = {"ada": {"claims": '{"tenant": "acme", "ids": [1, null]}', "roles": '["staff", null]', "scopes": ["me", None]}, "bob": {}}
    for name, columns in (unfit | fit).items():
        row = {"name": name, "hash": QUICK} | columns
        database.execute(f"INSERT INTO people ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))
    database.execute("INSERT INTO people (name, hash) VALUES ('twice', %s), ('twice', %s)", (QUICK, QUICK))
    query = "SELECT name AS username, hash AS password_hash, active, disabled, scopes, roles, claims FROM people WHERE name = $1"
    changes = {"tokens": {"claims": ["roles", "tenant", "ids"]}, "users": {"throttle": None}}
    doorward = over({"url": database.socket_url(), "query": query}, changes).start()
    refused_alike(doorward, [*unfit, "twice"])
    claims = claims_of(doorward.login("ada", RIGHT)["access_token"])
    assert (claims["scope"], claims["roles"], claims["tenant"], claims["ids"]) == ("me", ["staff"], "acme", [1, None])
    assert "scope" not in doorward.login("bob", RIGHT)
    assert "more than one user" in doorward.output.text
    for secret in ("seasalt", QUICK):
        assert secret not in doorward.output.text


def test_tls_is_what_sslmode_asks_for(fresh, over, tmp_path):
    ours, theirs = Authority(tmp_path), Authority(tmp_path, "theirs")
    fresh.use(ours.issue("database", names=(fresh.address,)))
    fresh.start()
    people(fresh, "ada")
    encrypted = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'doorward'"
    tried = [
        ("?sslmode=verify-full", ours, True),
        ("?sslmode=verify-ca", ours, True),
        ("?sslmode=require", ours, True),
        ("?sslmode=require", None, True),
        ("?sslmode=prefer", None, True),
        ("", None, True),
        ("?sslmode=disable", None, False),
        ("?sslmode=require&channel_binding=require", None, True),
        ("?sslmode=verify-full", theirs, None),
        ("?sslmode=verify-ca", theirs, None),
        ("?sslmode=require", theirs, None),
        ("?sslmode=verify-full", None, None),
    ]
    for number, (mode, authority, expected) in enumerate(tried):
        keys = {"url": fresh.url(mode), "query": PLAIN} | ({"ca_file": str(authority.file)} if authority else {})
        doorward = over(keys, name=f"doorward{number}").start()
        answer = log_in(doorward, "ada")
        assert answer.status_code == (503 if expected is None else 200), (mode, authority)
        assert {row[0] for row in fresh.execute(encrypted)} == (set() if expected is None else {expected}), (mode, authority)
        assert PASSWORD not in doorward.output.text
        doorward.stop()
        until(lambda: not fresh.execute(encrypted), what="the end of the connections")


def test_another_name_in_the_certificate(fresh, over, tmp_path):
    authority = Authority(tmp_path)
    fresh.use(authority.issue("database", names=("other.example",)))
    fresh.start()
    people(fresh, "ada")
    for mode, status in [("verify-ca", 200), ("verify-full", 503)]:
        keys = {"url": fresh.url(f"?sslmode={mode}"), "query": PLAIN, "ca_file": str(authority.file)}
        assert log_in(over(keys, name=mode).start(), "ada").status_code == status, mode


def test_require_never_goes_on_in_the_clear(database, over):
    people(database, "ada")
    doorward = over({"url": database.url("?sslmode=require"), "query": PLAIN}).start()
    assert log_in(doorward, "ada").status_code == 503
    assert not database.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'doorward'")


def test_a_wrong_password_of_the_database_is_no_wrong_password_of_a_user(database, over):
    people(database, "ada")
    doorward = over({"url": database.url().replace("p%40ss", "canaryQ7x"), "query": PLAIN}).start()
    assert log_in(doorward, "ada").status_code == 503
    doorward.output.wait_for(lambda line: "password authentication failed" in line)
    assert "canaryQ7x" not in doorward.output.text and "canaryQ7x" not in doorward.probe("/readyz?verbose").text

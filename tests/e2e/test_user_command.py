"""`doorward user`: the file changes in place, and a running doorward follows."""

import json
import os
import pty
import subprocess
import termios
import time

import pytest
import yaml
from conftest import people
from sidecar import password_hash, until

# Who asks again and again whether a user is there by now would be throttled.
UNTHROTTLED = {"users": {"throttle": None}}


@pytest.fixture
def user(binary):
    """Runs `doorward user` for a doorward's configuration."""

    def run(doorward, action, *arguments, stdin=None):
        command = [binary, "user", action, *arguments, "--config", doorward.config]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    return run


def attempt(doorward, username, password):
    return doorward.post("/token", {"username": username, "password": password}).status_code


def test_a_name_is_shown_as_it_is(shop, start, user):
    """Nothing that is not seen makes it look like another."""
    doorward = start(shop.url, users=[{"username": "eve\u202enimda", "password_hash": password_hash("x"), "email": "a\u200fb"}])
    shown = user(doorward, "list").stdout
    assert "eve\\u{202e}nimda" in shown and "a\\u{200f}b" in shown
    assert json.loads(user(doorward, "list", "--json").stdout)[0]["username"] == "eve\u202enimda"


def test_a_running_doorward_follows(shop, start, user):
    doorward = start(shop.url, UNTHROTTLED)
    assert attempt(doorward, "newcomer", "welcome") == 400
    added = user(doorward, "add", "newcomer", "--scope", "me", "--scope", "items", "--role", "staff", "--email", "n@example.test", "--full-name", "New Comer", "--password-stdin", stdin="welcome\n")
    assert (added.returncode, added.stdout) == (0, ""), added.stderr
    assert "`newcomer` can log in" in added.stderr and "welcome" not in added.stderr
    until(lambda: attempt(doorward, "newcomer", "welcome") == 200, what="the new user")
    tokens = doorward.login("newcomer", "welcome")
    assert set(tokens["scope"].split()) == {"me", "items"}
    doorward.call("/users/me", tokens["access_token"])
    seen = shop.seen()[-1]
    assert (seen.header("X-Forwarded-Groups"), seen.header("X-Forwarded-Email")) == ("staff", "n@example.test")

    assert user(doorward, "passwd", "newcomer", "--password-stdin", stdin="another one").returncode == 0
    until(lambda: attempt(doorward, "newcomer", "another one") == 200, what="the new password")
    assert attempt(doorward, "newcomer", "welcome") == 400

    assert user(doorward, "disable", "newcomer").returncode == 0
    until(lambda: attempt(doorward, "newcomer", "another one") == 400, what="the refusal")
    assert doorward.refresh(tokens["refresh_token"]).status_code == 400

    assert user(doorward, "enable", "newcomer").returncode == 0
    until(lambda: attempt(doorward, "newcomer", "another one") == 200, what="the way back")


def test_comments_order_and_mode_stay(shop, prepare, user):
    doorward = prepare(shop.url)
    file = doorward.directory / "users.yaml"
    phc = password_hash("secret")
    text = f"""# Who may log in. Ask ops first.

- username: johndoe   # since 2024
  password_hash: "{phc}"
  scopes: [me,   items]  # both

# left in May
- {{ username: 'alice', password_hash: "{phc}", disabled: true }}
# end
"""
    file.write_text(text)
    file.chmod(0o640)
    assert user(doorward, "disable", "johndoe").returncode == 0
    lines = text.splitlines(keepends=True)
    expected = "".join(lines[:4] + ["  disabled: true\n"] + lines[4:])
    assert file.read_text() == expected
    assert user(doorward, "add", "bob", "--password-stdin", stdin="x").returncode == 0
    assert file.read_text().startswith(expected)
    assert file.stat().st_mode & 0o777 == 0o640
    assert [entry["username"] for entry in yaml.safe_load(file.read_text())] == ["johndoe", "alice", "bob"]
    assert sorted(entry.name for entry in doorward.directory.iterdir()) == ["doorward.yaml", "users.yaml"]


def test_the_list_shows_no_hash(shop, prepare, user):
    users = people() + [{"username": "old", "password_hash": "md5$canary"}, {"username": "gone", "password_hash": password_hash("x"), "disabled": True}]
    doorward = prepare(shop.url, users=users)
    plain, as_json = user(doorward, "list"), user(doorward, "list", "--json")
    for shown in (plain, as_json):
        assert shown.returncode == 0 and shown.stderr == ""
        assert "$argon2" not in shown.stdout and "canary" not in shown.stdout
    listed = {entry["username"]: entry for entry in json.loads(as_json.stdout)}
    assert list(listed) == [entry["username"] for entry in users]
    assert listed["gone"]["disabled"] is True and listed["old"]["usable_hash"] is False and listed["johndoe"]["usable_hash"] is True
    lines = {line.split()[0]: line for line in plain.stdout.splitlines()}
    assert "disabled" in lines["gone"] and "no usable hash" in lines["old"] and "me" in lines["johndoe"]


def test_what_is_refused_changes_nothing(shop, prepare, user):
    doorward = prepare(shop.url)
    file = doorward.directory / "users.yaml"
    before = file.read_bytes()
    for action, arguments, stdin, why in [
        ("add", ["johndoe", "--password-stdin"], "x", "already"),
        ("add", ["client:new", "--password-stdin"], "x", "client:"),
        ("add", ["", "--password-stdin"], "x", "name"),
        ("add", ["new", "--scope", "two words", "--password-stdin"], "x", "scope"),
        ("add", ["new", "--password-stdin"], "", "empty"),
        ("add", ["new", "--scheme", "bcrypt", "--password-stdin"], "x" * 73, "72 bytes"),
        ("add", ["new"], "x", "--password-stdin"),
        ("passwd", ["nobody", "--password-stdin"], "x", "no user"),
        ("disable", ["nobody"], None, "no user"),
        ("enable", ["nobody"], None, "no user"),
    ]:
        refused = user(doorward, action, *arguments, stdin=stdin)
        assert (refused.returncode, refused.stdout) == (2, "") and why in refused.stderr, (action, arguments, refused.stderr)
        assert file.read_bytes() == before, (action, arguments)
    # A password as an argument would be public.
    assert user(doorward, "add", "new", "secret").returncode == 2
    assert user(doorward, "add", "new", "--password", "secret").returncode == 2
    file.write_text("- username: a\n  password_hash: x\n  surprise: 1\n")
    for action, arguments in [("add", ["new", "--password-stdin"]), ("disable", ["a"]), ("list", [])]:
        refused = user(doorward, action, *arguments, stdin="x")
        assert refused.returncode == 2 and f"{file}:3:3: unknown-key" in refused.stderr, action
    assert file.read_text().endswith("surprise: 1\n")


def test_users_in_a_database_are_changed_there(shop, prepare, user):
    doorward = prepare(shop.url, {"users": {"postgres": {"url": {"env": "DATABASE_URL"}}}})
    for action, arguments in [("add", ["new", "--password-stdin"]), ("disable", ["johndoe"]), ("enable", ["johndoe"]), ("passwd", ["johndoe"]), ("list", [])]:
        refused = user(doorward, action, *arguments, stdin="x")
        assert refused.returncode == 2 and "the users are in the database" in refused.stderr, action


def test_a_read_only_file_says_so(shop, prepare, user):
    doorward = prepare(shop.url)
    file = doorward.directory / "users.yaml"
    before = file.read_bytes()
    file.chmod(0o444)
    refused = user(doorward, "disable", "johndoe")
    assert refused.returncode == 2 and "read-only" in refused.stderr and "chmod u+w" in refused.stderr
    assert file.read_bytes() == before


def test_many_at_once_lose_nobody(binary, shop, prepare):
    doorward = prepare(shop.url, users=[])
    command = [binary, "user", "add", "--password-stdin", "--scheme", "pbkdf2-sha256", "--config", doorward.config]
    running = [subprocess.Popen([*command, f"user{number}"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) for number in range(6)]
    for process in running:
        _, errors = process.communicate(b"secret", timeout=60)
        assert process.returncode == 0, errors
    users = yaml.safe_load((doorward.directory / "users.yaml").read_text())
    assert {entry["username"] for entry in users} == {f"user{number}" for number in range(6)}


def test_the_prompt_shows_nothing(binary, shop, prepare):
    doorward = prepare(shop.url)
    child, terminal = pty.fork()
    if child == 0:
        os.execv(binary, [str(binary), "user", "add", "typed", "--config", str(doorward.config)])
    shown = b""

    def read_until(end):
        nonlocal shown
        deadline = time.monotonic() + 20
        while end not in shown and time.monotonic() < deadline:
            shown += os.read(terminal, 1024)
        assert end in shown, shown
        # What is typed before the terminal is told not to would be shown by that, not by us.
        until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, what="silence")

    read_until(b"Password: ")
    os.write(terminal, b"canary typed\n")
    read_until(b"again: ")
    os.write(terminal, b"canary typed\n")
    _, status = os.waitpid(child, 0)
    try:
        while chunk := os.read(terminal, 1024):
            shown += chunk
    except OSError:
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert b"canary" not in shown and b"`typed` can log in" in shown
    doorward.start()
    assert attempt(doorward, "typed", "canary typed") == 200

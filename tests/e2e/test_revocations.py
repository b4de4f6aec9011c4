"""`/revocations` and `doorward revoke`: what operators revoke at a running doorward, and who may not."""

import json
import os
import re
import socket
import stat
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
import yaml
from conftest import SHARED_SECRET
from sidecar import bound_addresses, merge, until
from wire import Connection, lines

JSON = "application/json"


@pytest.fixture
def doorward(shop, start):
    return start(shop.url, {"telemetry": {"format": "json"}, "clients": [{"id": "web", "default": True}, {"id": "spa"}]})


@pytest.fixture
def run(binary):
    """Runs `doorward revoke` beside a running doorward: with its configuration, but for the port that the system chose."""

    def run(doorward, *arguments, stdin="", changes=None):
        settings = merge(doorward.settings, {"admin": {"listen": getattr(doorward, "admin", "127.0.0.1:1")}})
        config = doorward.directory / "operator.yaml"
        config.write_text(yaml.safe_dump(merge(settings, changes or {})))
        command = [binary, "revoke", *arguments, "--config", str(config)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    return run


def admin_token(doorward):
    return (doorward.directory / "data" / "admin.token").read_text()


def ask(doorward, method="POST", path="/revocations", **options):
    headers = {"Authorization": f"Bearer {admin_token(doorward)}"} | options.pop("headers", {})
    return doorward.session.request(method, f"http://{doorward.admin}{path}", headers=headers, **options)


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def is_dead(doorward, shop, token):
    """Refused as revoked, and nothing of it came to the application."""
    shop.forget()
    answer = doorward.call("/users/me", token)
    assert (answer.status_code, answer.json()["reason"]) == (401, "revoked"), answer.text
    assert shop.seen() == []
    return True


def is_alive(doorward, shop, token):
    shop.forget()
    assert doorward.call("/users/me", token).status_code == 200
    assert len(shop.seen("/users/me")) == 1
    return True


KINDS = {
    "access token": (lambda session: ["--token", "-"], lambda session: session["access_token"], "token", True),
    "refresh token": (lambda session: ["--token", "-"], lambda session: session["refresh_token"] + "\n", "session", False),
    "jti": (lambda session: ["--jti", claims(session["access_token"])["jti"]], lambda _: "", "token", True),
    "session": (lambda session: ["--session", claims(session["access_token"])["sid"]], lambda _: "", "session", False),
    "subject": (lambda _: ["--subject", "johndoe"], lambda _: "", "subject", False),
    "client": (lambda _: ["--client", "web"], lambda _: "", "client", False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_by_the_command(kind, doorward, shop, run):
    arguments, stdin, told, refreshes = KINDS[kind]
    session, other = doorward.login(), doorward.login("siobhan", "se cret&+é", client_id="spa")
    assert is_alive(doorward, shop, session["access_token"])
    result = run(doorward, *arguments(session), "--reason", "lost\nlaptop", "--wait", "5", "--json", stdin=stdin(session))
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    answer = json.loads(result.stdout)
    assert answer["durable"] is True and answer["missing"] == [] and len(answer["confirmed_by"]) == 1
    assert answer["confirmed_by"][0].endswith(doorward.public.rsplit(":", 1)[1])
    assert answer["expires_at"] >= claims(session["access_token"])["exp"]
    assert is_dead(doorward, shop, session["access_token"])
    assert is_alive(doorward, shop, other["access_token"])
    assert doorward.refresh(session["refresh_token"]).status_code == (200 if refreshes else 400)
    assert doorward.refresh(other["refresh_token"]).status_code == 200
    assert is_alive(doorward, shop, doorward.login()["access_token"]), "who logs in again is served"
    doorward.counts(1, "doorward_revocations_total", kind=told)

    listed = run(doorward, "list", "--json")
    assert listed.returncode == 0, listed.stderr
    marks = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {mark["issuer"] for mark in marks} == {doorward.settings["tokens"]["issuer"]}
    assert answer["expires_at"] in [mark["expires_at"] for mark in marks]
    shown = run(doorward, "list").stdout
    doorward.stop()
    [record] = [record for record in doorward.records(audit="revoked") if record.get("reason")]
    assert (record["kind"], record["reason"]) == (told, "lost\nlaptop")
    for secret in (session["access_token"], session["refresh_token"], admin_token(doorward)):
        assert secret not in doorward.output.text + result.stdout + listed.stdout + shown


def test_what_was_revoked_outlives_a_restart(doorward, shop, run):
    session = doorward.login()
    assert run(doorward, "--subject", "johndoe").returncode == 0
    before = admin_token(doorward)
    doorward.kill()
    doorward.start()
    assert admin_token(doorward) == before
    assert is_dead(doorward, shop, session["access_token"])
    assert doorward.refresh(session["refresh_token"]).status_code == 400


@pytest.mark.parametrize("kind", ["subject", "client"])
def test_what_is_revoked_right_after_a_login_right_after_a_revocation_is_dead(kind, doorward, shop):
    everything = {"subject": {"kind": "subject", "value": "johndoe"}, "client": {"kind": "client", "value": "web"}}
    # At whatever moment of a second.
    for _ in range(3):
        assert ask(doorward, json=everything["subject"]).status_code == 200
        session = doorward.login()
        assert is_alive(doorward, shop, session["access_token"])
        assert ask(doorward, json=everything[kind]).status_code == 200
        assert is_dead(doorward, shop, session["access_token"])
        assert doorward.refresh(session["refresh_token"]).status_code == 400


COMMANDS = [
    # Arguments, stdin, changes of the configuration, exit code, what is said.
    (["--token", "-"], "garbage", {}, 1, "`--token` is no token that is taken here"),
    (["--token", "-"], "dwr_garbage", {}, 1, "no token that is taken here"),
    (["--token", "-"], "", {}, 2, "is empty"),
    (["--token", "eyJhbGciOiJub25lIn0.e30.CANARY"], "", {}, 2, "never an argument"),
    (["--token", "@nothing-here"], "", {}, 2, "nothing-here"),
    ([], "", {}, 2, "required"),
    (["--jti", "a", "--subject", "b"], "", {}, 2, "cannot be used with"),
    (["--subject", "johndoe", "--issuer", "https://nobody.example"], "", {}, 2, "`--issuer` is neither"),
    (["--subject", "johndoe", "--wait", "61"], "", {}, 2, "61"),
    (["--session", "not a sid"], "", {}, 2, "`--session` is not a `sid`"),
    (["--subject", "johndoe"], "", {"admin": {"token": "q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY"}}, 2, "not the admin token"),
    (["--subject", "johndoe"], "", {"admin": {"listen": "127.0.0.1:0"}}, 2, "port 0"),
    (["--subject", "johndoe"], "", {"admin": {"listen": "unix:nobody.sock"}}, 70, "is doorward running"),
    (["--subject", "johndoe"], "", {"data_dir": "elsewhere"}, 2, "start doorward"),
    (["list"], "", {"admin": {"token": "q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY"}}, 2, "not the admin token"),
]


def test_the_command_says_what_is_wrong(doorward, shop, run):
    token = doorward.login()["access_token"]
    for arguments, stdin, changes, code, said in COMMANDS:
        result = run(doorward, *arguments, stdin=stdin, changes=changes)
        assert result.returncode == code, (arguments, result.stderr)
        assert said in result.stderr and result.stdout == "", (arguments, result.stderr)
        assert "CANARY" not in result.stderr
    assert not (doorward.directory / "elsewhere").exists(), "asking makes nothing"
    assert is_alive(doorward, shop, token)
    assert ask(doorward, "GET").json() == {"revocations": [], "next": None}
    doorward.stop()
    stopped = run(doorward, "--subject", "johndoe")
    assert stopped.returncode == 70 and "is doorward running" in stopped.stderr


def answering(status, body):
    """What anything might answer that is no doorward; `None` hangs up without a word. It notes what it was asked."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.server.asked.append((self.command, self.path))
            if body is None:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


DONE = {"durable": True, "expires_at": 1790000000, "confirmed_by": ["pod-1:8080"], "missing": []}
MARK = {"id": "AA", "kind": None, "value": None, "issuer": None, "issued_before": None, "expires_at": 1790000000}

STRANGERS = {
    "an empty object": (200, {}),
    "text": (200, "hello"),
    "a list": (200, []),
    "an API that takes everything": (200, {"status": "ok", "path": "/revocations"}),
    "not durable": (200, DONE | {"durable": False}),
    "durable as a word": (200, DONE | {"durable": "true"}),
    "without an end": (200, {name: value for name, value in DONE.items() if name != "expires_at"}),
    "an end that is a text": (200, DONE | {"expires_at": "1790000000"}),
    "confirmed by nobody": (200, DONE | {"confirmed_by": []}),
    "nothing said of others": (200, {name: value for name, value in DONE.items() if name != "missing"}),
    "marks that are none": (200, {"revocations": [{"id": "AA"}], "next": None}),
    "pages without end": (200, {"revocations": [], "next": ""}),
    "a next that is none": (200, {"revocations": [MARK], "next": "&limit=1"}),
    "created": (201, DONE),
    "another 404": (404, {"detail": "Not Found"}),
    "another 401": (401, {"error": "unauthorized"}),
    "another 500": (500, {}),
    "a redirect": (302, {}),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_whatever_else_answers_has_revoked_nothing(stranger, shop, prepare, run):
    status, body = STRANGERS[stranger]
    server = answering(status, json.dumps(body).encode())
    try:
        doorward = prepare(shop.url, {"admin": {"token": "q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY"}})
        doorward.admin = f"127.0.0.1:{server.server_port}"
        for arguments in (["--subject", "johndoe"], ["--subject", "johndoe", "--wait", "1", "--json"], ["list"], ["list", "--json"]):
            result = run(doorward, *arguments)
            assert result.returncode == 70 and "revoked" not in result.stdout, (arguments, result)
            assert f"`{doorward.admin}` is no doorward admin listener" in result.stderr, (arguments, result.stderr)
            assert "is `admin.listen` the one it was started with?" in result.stderr
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("body", "arguments", "said"), [
    (DONE, ["--subject", "a"], "in effect at pod-1:8080"),
    ({"revocations": [MARK], "next": None}, ["list"], "unnamed  AA"),
])
def test_an_answer_of_doorwards_is_taken(body, arguments, said, shop, prepare, run):
    """What the answers above differ from."""
    server = answering(200, json.dumps(body).encode())
    try:
        doorward = prepare(shop.url, {"admin": {"token": "q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY"}})
        doorward.admin = f"127.0.0.1:{server.server_port}"
        result = run(doorward, *arguments)
        assert result.returncode == 0 and said in result.stdout, result
    finally:
        server.shutdown()
        server.server_close()


def test_who_is_cut_off_does_not_know_whether_it_was_done(shop, prepare, run):
    server = answering(200, None)
    try:
        doorward = prepare(shop.url, {"admin": {"token": "q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY"}})
        doorward.admin = f"127.0.0.1:{server.server_port}"
        result = run(doorward, "--subject", "johndoe")
        assert result.returncode == 70 and ("POST", "/revocations") in server.asked
        assert "it is unknown whether it was done; ask again, which is harmless" in result.stderr
        assert "is doorward running" not in result.stderr
    finally:
        server.shutdown()
        server.server_close()


def test_help_shows_no_way_to_give_a_token_as_an_argument(binary):
    shown = subprocess.run([binary, "revoke", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--token <-|@FILE>" in shown
    for option in ("--jti", "--session", "--subject", "--client", "--issuer", "--reason", "--wait", "--json", "--config"):
        assert option in shown


def test_names_that_begin_with_a_hyphen(doorward, run):
    """One in 64 of our own does."""
    for kind, value in [("jti", "-2xYq"), ("session", "-" + "A" * 21), ("subject", "-s"), ("client", "--json")]:
        assert run(doorward, f"--{kind}", value, "--wait", "1").returncode == 0
        assert value in [mark["value"] for mark in ask(doorward, "GET").json()["revocations"]]


def test_a_token_in_a_file(doorward, shop, run):
    session = doorward.login()
    file = doorward.directory / "token.txt"
    file.write_text(session["access_token"] + "\n")
    result = run(doorward, "--token", f"@{file}")
    assert result.returncode == 0 and result.stdout.startswith("revoked: durable, remembered until 20"), result.stderr
    assert is_dead(doorward, shop, session["access_token"])


def test_pages_have_every_mark_once(doorward):
    for number in range(25):
        order = {"kind": "jti", "value": f"token-{number}", "wait": 1}
        assert ask(doorward, json=order).status_code == 200
    found, after = [], ""
    while after is not None:
        answer = ask(doorward, "GET", f"/revocations?limit=7&after={after}")
        assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
        # What comes meanwhile moves nothing.
        ask(doorward, json={"kind": "client", "value": f"late-{len(found)}"})
        page, after = answer.json()["revocations"], answer.json()["next"]
        assert len(page) <= 7
        found += [mark["value"] for mark in page]
    assert sorted(value for value in found if value.startswith("token-")) == sorted(f"token-{n}" for n in range(25))
    assert len(found) == len(set(found))


def unix_answer(path, request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(15)
        connection.connect(str(path))
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received.decode()


def order(value, *headers, host="localhost", kind="subject", content_type=JSON):
    body = json.dumps({"kind": kind, "value": value}).encode()
    head = ["POST /revocations HTTP/1.1", f"Host: {host}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return lines(*head, "Connection: close", *headers, body=body)


def test_a_unix_socket_is_this_users_alone_and_asks_for_no_token(shop, prepare, run):
    doorward = prepare(shop.url, {"admin": {"listen": "unix:admin.sock"}}).launch()
    public = re.compile(r"\bpublic\"?\s*[=:]\s*\"?(127\.0\.0\.1:\d+)")
    doorward.public = doorward.output.wait_for(public.search)[1]
    doorward.admin = "unix:admin.sock"
    path = doorward.directory / "admin.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (doorward.directory / "data" / "admin.token").exists(), "nobody would ask for it"
    token = doorward.login()["access_token"]
    for header in ("Origin: http://localhost", "Sec-Fetch-Site: same-origin"):
        assert unix_answer(path, order("johndoe", header)).startswith("HTTP/1.1 403 ")
    assert unix_answer(path, order("johndoe", content_type="text/plain")).startswith("HTTP/1.1 415 ")
    assert is_alive(doorward, shop, token)
    assert run(doorward, "--subject", "johndoe").returncode == 0
    assert is_dead(doorward, shop, token)
    assert '"johndoe"' in run(doorward, "list").stdout


def test_a_token_file_that_others_know_stops_the_start(shop, prepare):
    """Whoever put it there, or may read it, could revoke everybody's tokens: nothing is served with it, nor a new one made over it."""
    doorward = prepare(shop.url)
    data = doorward.directory / "data"
    data.mkdir(mode=0o700)
    file = data / "admin.token"
    good = "q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY"
    known, none = "others may read or write it", "no admin token"
    for content, mode, said in [(good, 0o644, known), (good, 0o602, known), ("", 0o600, none), ("admin\n", 0o600, none)]:
        file.write_text(content)
        file.chmod(mode)
        assert doorward.launch().wait() == 2
        assert said in doorward.output.text and "admin.token" in doorward.output.text and good not in doorward.output.text
        assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (content, mode)
    file.unlink()
    # A link is judged by what it leads to, when that is opened.
    leaked = doorward.directory / "leaked"
    leaked.write_text(good)
    leaked.chmod(0o666)
    file.symlink_to(leaked)
    assert doorward.launch().wait() == 2
    file.unlink()
    os.mkfifo(file, 0o600)
    assert doorward.launch().wait() == 2, "and does not wait for somebody to write"
    file.unlink()
    file.mkdir()
    assert doorward.launch().wait() == 2
    assert shop.seen() == []


def test_the_token_file_is_never_open_to_others_whatever_the_umask(shop, prepare):
    doorward = prepare(shop.url)
    before = os.umask(0)
    try:
        doorward.launch()
    finally:
        os.umask(before)
    seen = set()

    def there():
        for file in (doorward.directory / "data").glob("*") if (doorward.directory / "data").exists() else []:
            if file.name == "admin.token" or file.name.startswith(".tmp"):
                try:
                    seen.add(stat.S_IMODE(file.stat().st_mode))
                except FileNotFoundError:
                    continue
        return (doorward.directory / "data" / "admin.token").exists()

    until(there)
    assert seen == {0o600}
    doorward.output.wait_for(bound_addresses)
    assert stat.S_IMODE((doorward.directory / "data").stat().st_mode) == 0o700


def test_a_command_uses_no_token_that_others_can_change(doorward, run):
    (doorward.directory / "data" / "admin.token").chmod(0o606)
    result = run(doorward, "--subject", "johndoe")
    assert result.returncode == 2 and "others may read or write it" in result.stderr


def test_a_reload_changes_the_token(doorward, shop):
    token = doorward.login()["access_token"]
    made = admin_token(doorward)
    given = "q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY"
    doorward.write(merge(doorward.settings, {"admin": {"token": given}}))
    until(lambda: ask(doorward, "GET").status_code == 401)
    assert ask(doorward, json={"kind": "subject", "value": "johndoe"}).status_code == 401, "the one before is good no more"
    assert is_alive(doorward, shop, token)
    answer = ask(doorward, json={"kind": "subject", "value": "johndoe"}, headers={"Authorization": f"Bearer {given}"})
    assert answer.status_code == 200 and is_dead(doorward, shop, token)
    assert made not in doorward.output.text and given not in doorward.output.text


def test_bodies_without_end_and_without_haste(doorward, shop):
    """Attacks D02, M05: nobody without the token makes it read anything; with it, so much and no longer than so."""
    token = doorward.login()["access_token"]
    bearer = f"Authorization: Bearer {admin_token(doorward)}"
    head = ["POST /revocations HTTP/1.1", "Host: localhost", f"Content-Type: {JSON}"]
    stranger = lines(*head, "Content-Length: 1000000000")
    giant = lines(*head, bearer, "Content-Length: 65537")
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    endless = lines(*head, bearer, "Transfer-Encoding: chunked") + chunk * 4 + b"1\r\n \r\n"
    for request, status in [(stranger, 401), (giant, 413), (endless, 413)]:
        with Connection(doorward.admin) as connection:
            answer = connection.exchange(request, "POST")
            assert answer.status == status and "durable" not in json.loads(answer.body)
            try:
                assert connection.rest() == b"", "and the connection is closed"
            except ConnectionResetError:
                pass
    with Connection(doorward.admin, timeout=30) as slow:
        begun = time.monotonic()
        slow.send(lines(*head, bearer, "Content-Length: 100") + b'{"kind":"subject","value":"johndoe"')
        # Nobody else waits for it.
        assert ask(doorward, json={"kind": "jti", "value": "x"}).status_code == 200
        assert slow.read("POST").status == 408
        assert 8 < time.monotonic() - begun < 20
    assert is_alive(doorward, shop, token)
    # Exactly as much as it may be, with the patience of curl.
    body = b'{"kind":"subject","value":"johndoe"}'.ljust(65536)
    with Connection(doorward.admin) as connection:
        connection.send(lines(*head, bearer, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert connection.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.exchange(body, "POST").status == 200
    assert is_dead(doorward, shop, token)


def test_nothing_of_it_on_the_public_listener(doorward, shop):
    token = doorward.login()["access_token"]
    bearer = f"Authorization: Bearer {admin_token(doorward)}"
    for host in (doorward.public, doorward.admin, "localhost:9090"):
        with Connection(doorward.public) as connection:
            answer = connection.exchange(order("johndoe", bearer, host=host), "POST")
        assert answer.status == 401 and b"durable" not in answer.body
    assert shop.seen() == []
    # With a token of the API's it is a path of the API's like any other.
    assert doorward.call("/revocations", token, "POST", json={"kind": "subject", "value": "johndoe"}).status_code == 404
    assert len(shop.seen("/revocations")) == 1
    assert is_alive(doorward, shop, token)


def test_a_foreign_token_that_shares_our_secret_is_not_ours(doorward, shop):
    """A signature alone does not make it a token of an issuer that is trusted."""
    session = doorward.login()
    stolen = claims(session["access_token"]) | {"iss": "https://elsewhere.example"}
    forged = jwt.encode(stolen, SHARED_SECRET, algorithm="HS256")
    answer = ask(doorward, json={"kind": "token", "value": forged})
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert is_alive(doorward, shop, session["access_token"])

"""What requests cost, and what is counted of them."""

from ..text import fill

def costly_paths(target, attempt):
    """Paths of the greatest length in every shape; judged by doorward's own clock, with room for a build that is not optimised."""
    shapes = ["/a" * 4000, "/public" + "/a" * 3900, "/public/" + "%61" * 2600, "/public/" + ";a" * 3900, "/public" + "/a;b" * 1900]
    shapes += ["/public/" + "%2561" * 1500, "/.." * 2600, "/" * 8000, "/public/" + "a" * 8000, "/{user}" * 1100]
    name = "doorward_decision_duration_seconds"
    before = target.samples()
    for shape in shapes * 5:
        connection = attempt.connection("a")
        connection.send(f"GET {shape} HTTP/1.1\r\nHost: {target.words['host']}\r\n\r\n".encode())
        answer = attempt.read("a")
        assert answer != "closed" and answer != "timeout", f"{shape[:40]}… was answered {answer}"
        if answer.header("Connection") == "close" or answer.status == 400:
            attempt.connections.pop("a").close()
    now = target.samples()
    spent, made = now[f"{name}_sum"] - before.get(f"{name}_sum", 0), now[f"{name}_count"] - before.get(f"{name}_count", 0)
    attempt.uncounted = True
    attempt.verdict.expected, attempt.verdict.got = "< 10 ms each", f"{1000 * spent / max(made, 1):.2f} ms each"
    if made < len(shapes) or spent / made > 0.01:
        attempt.verdict.find("differs", f"{made} decisions took {1000 * spent:.0f} ms")


def series_stay(target, attempt):
    """The same again and again in other words: no series is added."""
    make = hostile_requests()[attempt.words["of"].decode()]
    expensive = attempt.words["of"] in (b"username", b"client")
    for number in range(2):
        attempt.exchange(make(target, 90_000 + number))
    before = set(target.samples())
    for number in range(12 if expensive else 200):
        attempt.exchange(make(target, number))
    attempt.uncounted = True
    added = {name for name in set(target.samples()) - before if "le=" not in name}
    attempt.verdict.expected, attempt.verdict.got = "no new series", f"{len(added)} new"
    if added:
        attempt.verdict.find("differs", f"new series: {sorted(added)[:5]}")


def hostile_requests():
    def get(path, method="GET", host=None, more=""):
        return lambda target, number: (
            f"{method.format(letters(number))} {path.format(number)} HTTP/1.1\r\nHost: {(host or '{0}').format(number) if host else target.words['host']}\r\n"
            f"{more.format(number)}\r\n"
        ).encode()

    def form(text):
        def make(target, number):
            body = text.format(number)
            kind = "Content-Type: application/x-www-form-urlencoded"
            return f"POST /token HTTP/1.1\r\nHost: {target.words['host']}\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

        return make

    def token(**told):
        def make(target, number):
            shaped = {part: {name: value.format(number) for name, value in members.items()} for part, members in told.items()}
            made = target.mint.write({"key": "evil-hs"} | shaped, target.words).decode()
            return f"GET /api/x HTTP/1.1\r\nHost: {target.words['host']}\r\nAuthorization: Bearer {made}\r\n\r\n".encode()

        return make

    return {
        "path": get("/made-up-{0}/x?y={0}"),
        "method": get("/nowhere", method="EVIL-{}"),
        "host": get("/nowhere", host="host-{0}.example"),
        "username": form("username=made-up-{0}&password=x"),
        "client": form("username=alice&password=x&client_id=made-up-{0}"),
        "kid": token(header={"kid": "made-up-{0}"}),
        "issuer": token(claims={"iss": "https://made-up-{0}.example"}),
        "malformed": get("/nowhere", more="Bad Header {0}: x\r\n"),
    }


def letters(number):
    return "".join(chr(ord("A") + int(digit)) for digit in str(number))


def metrics_are_silent(target, attempt):
    """Names, secrets, hosts and paths of clients are in no metric."""
    makers = [maker for kind, maker in hostile_requests().items() if kind != "client"]
    for make in makers:
        attempt.exchange(make(target, 31337))
    attempt.exchange(f"GET /nowhere/CANARY31337?access_token=31337 HTTP/1.1\r\nHost: {target.words['host']}\r\nCookie: a=31337\r\n\r\n".encode())
    attempt.exchange(fill("GET /api/x HTTP/1.1\r\nHost: {{host}}\r\nAuthorization: Bearer {{expired}}\r\n\r\n", target.words))
    text = target.process.probe("/metrics").text
    for found in ("31337", "made-up", letters(31337), "alice", target.words["expired"].decode()[-20:]):
        if found in text:
            at = text.index(found)
            attempt.verdict.find("hole", f"the metrics say {text[max(0, at - 60) : at + 40]!r}")

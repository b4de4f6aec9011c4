"""Three doorwards on each kind of shared store: what is revoked at one is refused by all, whatever becomes of the servers.

Each call goes to another replica than the one before.
"""

import itertools

import jwt
import pytest
from issuer import Issuer
from load import Load
from sidecar import password_hash, until

ADMIN_TOKEN = "q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY"
CLIENTS = [{"id": "web", "default": True}, {"id": "spa"}, {"id": "svc", "secret_hash": password_hash("svc-secret")}]
OPERATED = {"admin": {"token": ADMIN_TOKEN}, "clients": CLIENTS}


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def order(doorward, kind, value, **more):
    """What an operator revokes, at one of the replicas."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    answer = doorward.session.post(f"http://{doorward.admin}/revocations", json={"kind": kind, "value": value} | more, headers=headers)
    assert answer.status_code == 200 and answer.json()["durable"] is True, answer.text


JOHN, SIOBHAN = ("johndoe", "secret", "web"), ("siobhan", "se cret&+é", "spa")
# Whose session, what of it is revoked (kind and value), and the status of a refresh then.
KINDS = {
    "access token": (JOHN, "token", lambda session: session["access_token"], 200),
    "refresh token": (JOHN, "token", lambda session: session["refresh_token"], 400),
    "jti": (JOHN, "jti", lambda session: claims(session["access_token"])["jti"], 200),
    "session": (JOHN, "session", lambda session: claims(session["access_token"])["sid"], 400),
    "subject": (SIOBHAN, "subject", lambda _: "siobhan", 400),
    "client": (JOHN, "client", lambda _: "web", 400),
}


def test_each_kind_is_refused_by_all(shop, fleet):
    with Issuing() as issuer:
        doorward = fleet(shop.url, OPERATED | {"trusted_issuers": [issuer.trusted(subject_prefix="other:")]})
        other = doorward.login("erin", client_id="spa")
        for name, ((user, password, client), kind, value, refreshed) in KINDS.items():
            session = doorward.login(user, password, client_id=client)
            assert doorward.takes(session["access_token"]), name
            order(doorward, kind, value(session))
            assert doorward.refuses(shop, session["access_token"]), name
            for _ in doorward.replicas:
                answer = doorward.refresh(session["refresh_token"])
                assert answer.status_code == refreshed, name
                session |= answer.json()
            assert doorward.takes(other["access_token"], path="/items"), name
            assert doorward.takes(doorward.login(user, password, client_id=client)["access_token"]), "who logs in again is served, everywhere"
        first, second, of_another = issuer.token(jti="1"), issuer.token(jti="2"), issuer.token(jti="3", sub="somebody")
        assert doorward.takes(first, second, of_another, path="/items")
        order(doorward, "token", first)
        assert doorward.refuses(shop, first, path="/items") and doorward.takes(second, of_another, path="/items")
        order(doorward, "subject", "johndoe", issuer=issuer.name)
        assert doorward.refuses(shop, first, second, path="/items") and doorward.takes(of_another, path="/items")
        assert doorward.takes(other["access_token"], path="/items"), "another issuer's subject is nobody of ours"


class Issuing(Issuer):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


# Requests to /revoke-token, `{access}` and `{refresh}` being of a session of johndoe's at the client web: the query, the form, status and error
# if there is one, and what of it is refused then.
REVOKED = {"message": "Token revoked"}
NOTHING, TOKEN, SESSION = (), ("access",), ("access", "refresh")
ROWS = [
    ("79", "", {"token": "{access}"}, 200, None, TOKEN),
    ("80", "", {"token": "{refresh}"}, 200, None, SESSION),
    ("81 unknown", "", {"token": "unknown"}, 200, None, NOTHING),
    ("81 garbage", "", {"token": "dwr_garbage"}, 200, None, NOTHING),
    ("82 unknown hint", "", {"token": "{access}", "token_type_hint": "foo"}, 200, None, TOKEN),
    ("82 wrong hint", "", {"token": "{refresh}", "token_type_hint": "access_token"}, 200, None, SESSION),
    ("83", "", {"token_type_hint": "access_token"}, 400, "invalid_request", NOTHING),
    ("84", "?token={access}", None, 200, None, TOKEN),
    ("85", "", {"token": "{access}", "client_id": "svc", "client_secret": "svc-secret"}, 400, "invalid_grant", NOTHING),
    ("86", "", {"token": "{access}", "client_id": "svc", "client_secret": "wrong"}, 400, "invalid_client", NOTHING),
]


def test_revocation_by_clients(shop, fleet):
    doorward = fleet(shop.url, OPERATED)
    for row, query, form, status, error, dead in ROWS:
        session = doorward.login(client_id="web")
        told = {"access": session["access_token"], "refresh": session["refresh_token"]}
        assert doorward.takes(session["access_token"])
        # The same answer wherever it is asked, and when it is asked again.
        for _ in doorward.replicas:
            answer = doorward.post("/revoke-token" + query.format(**told), form and {key: value.format(**told) for key, value in form.items()})
            assert answer.status_code == status, (row, answer.text)
            assert answer.json() == REVOKED if error is None else answer.json()["error"] == error, row
        assert doorward.refuses(shop, session["access_token"]) if "access" in dead else doorward.takes(session["access_token"]), row
        assert doorward.refresh(session["refresh_token"]).status_code == (400 if "refresh" in dead else 200), row


def test_a_revocation_outlives_every_process(shop, fleet, deployment):
    doorward = fleet(shop.url)
    session, other = doorward.login(), doorward.login()
    doorward.revoke(session["access_token"])
    doorward.kill()
    doorward.start()
    assert doorward.refuses(shop, session["access_token"]) and doorward.takes(other["access_token"])
    doorward.revoke(other["refresh_token"])
    doorward.kill()
    # The servers at once, too: all that they have is on their disks. Sentinels would need their time to agree on that.
    for server in deployment.servers if not deployment.others else []:
        server.kill()
    deployment.settle()
    doorward.start()
    assert doorward.refuses(shop, session["access_token"], other["access_token"])
    assert doorward.refresh(other["refresh_token"]).status_code == 400
    assert doorward.refresh(session["refresh_token"]).status_code == 200


def test_nothing_is_promised_without_the_store(shop, fleet, deployment):
    """Rows 51, 66 and 87, with every server frozen: they keep their connections and answer nobody."""
    doorward = fleet(shop.url, {"tokens": {"refresh_grace": "60s"}})
    session, victim = doorward.login(), doorward.login()
    assert doorward.takes(session["access_token"], victim["access_token"])
    refresh = ("/refresh-token", {"refresh_token": session["refresh_token"]})
    deployment.freeze()
    try:
        for path, form in [("/token", {"username": "johndoe", "password": "secret"}), refresh, ("/revoke-token", {"token": victim["access_token"]})]:
            answer = doorward.post(path, form)
            assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable"), path
            assert int(answer.headers["Retry-After"]) >= 1
        assert doorward.takes(session["access_token"]), "whoever has a token is served"
    finally:
        deployment.thaw()
    until(lambda: doorward.post("/revoke-token", {"token": victim["access_token"]}).status_code == 200, what="the store")
    assert doorward.refuses(shop, victim["access_token"])
    answers = [refreshed_at_last(doorward, session) for _ in doorward.replicas]
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert doorward.takes(answers[0].json()["access_token"], session["access_token"])


def refreshed_at_last(doorward, session):
    return until(lambda: (answer := doorward.refresh(session["refresh_token"])).status_code == 200 and answer, deadline=30, what="a refresh")


def logged_in_at_last(doorward):
    form = {"username": "johndoe", "password": "secret"}
    return until(lambda: (answer := doorward.post("/token", form)).status_code == 200 and answer, deadline=30, what="a login").json()


@pytest.mark.parametrize(("deployment", "event"), [("sentinel", "kill"), ("cluster", "kill"), ("cluster", "reshard")], indirect=["deployment"])
def test_servers_change_under_load(shop, fleet, deployment, event):
    """A failover and a slot that moves: nobody is refused who should pass, nobody passes who was revoked, and all goes on."""
    doorward = fleet(shop.url, {"tokens": {"refresh_grace": "60s"}})
    session, dead = doorward.login(), doorward.login()["access_token"]
    doorward.revoke(dead)
    assert doorward.refuses(shop, dead) and doorward.takes(session["access_token"])
    sid = claims(session["access_token"])["sid"]
    prefix = doorward.settings["store"]["redis"]["prefix"]
    loads = [Load(replica.public, "/users/me", {"alive": session["access_token"], "dead": dead}, rate=40) for replica in doorward.replicas]
    for load in loads:
        load.__enter__()
    try:
        if event == "kill":
            deployment.fail_over(*(["kill", f"{prefix}{{f:{sid}}}"] if hasattr(deployment, "reshard") else ["kill"]))
        else:
            for key in [f"{prefix}{{f:{sid}}}", *(f"{prefix}{{m:{bucket:02}}}:marks" for bucket in range(16))]:
                deployment.reshard(key)
        refreshed = refreshed_at_last(doorward, session).json()
        # It asks all of the servers for marks; the session needed one.
        late = logged_in_at_last(doorward)["access_token"]
        until(lambda: doorward.post("/revoke-token", {"token": late}).status_code == 200, what="a revocation")
        until(lambda: doorward.reasons(late) == ["revoked"] * 3, what="the refusal by all")
    finally:
        for load in loads:
            load.__exit__()
    answers = sum((load.answers for load in loads), start=type(loads[0].answers)())
    assert not [load.failures for load in loads if load.failures]
    assert set(answers) == {("alive", 200), ("dead", 401)} and min(answers.values()) > 10, answers
    doorward.follows()
    assert doorward.refuses(shop, dead, late) and doorward.takes(session["access_token"], refreshed["access_token"])
    chain = itertools.accumulate(range(3), lambda token, _: doorward.refresh(token).json()["refresh_token"], initial=refreshed["refresh_token"])
    assert len(set(chain)) == 4, "the session goes on"

"""The docs page that FastAPI makes, in a real browser: Swagger UI's Authorize dialog logs in at doorward, the application unmodified."""

import http.server
import threading
from pathlib import Path

import pytest
from browser import Browser
from recorders import node_packages
from sidecar import password_hash

SECRET = "s:e%c é-_"
CLIENTS = [{"id": "web"}, {"id": "odd", "secret_hash": password_hash(SECRET, memory_kib=64, passes=1)}]
CDN = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5"
OPERATION = "#operations-default-read_users_me_users_me__get"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    package = Path(node_packages("DOORWARD_NODE_CLIENTS")) / "node_modules" / "swagger-ui-dist"
    answers = {
        f"{CDN}/swagger-ui-bundle.js": ("text/javascript", (package / "swagger-ui-bundle.js").read_bytes()),
        f"{CDN}/swagger-ui.css": ("text/css", (package / "swagger-ui.css").read_bytes()),
        "https://fastapi.tiangolo.com/img/favicon.png": ("image/png", b""),
    }
    browser = Browser(tmp_path_factory.mktemp("browser"), answers)
    yield browser
    browser.close()


@pytest.fixture
def page(browser, applications, start):
    """Opens the docs of the tutorial's application behind a doorward with these clients, and the dialog there."""

    def opened(clients):
        application = applications("tutorial")
        doorward = start(application.url, {"clients": clients})
        browser.dialogs.clear()
        browser.open(doorward.url("/docs"))
        browser.click(".btn.authorize")
        browser.wait("document.querySelector('.modal-ux input[data-name=username]') !== null")
        return doorward, application

    return opened


def log_in(browser, password="secret", client_id=None, secret=None, place=None):
    fields = {"username": "johndoe", "password": password, "clientId": client_id, "clientSecret": secret}
    for name, text in fields.items():
        if text is not None:
            browser.type(f".modal-ux input[data-name={name}]", text)
    if place:
        browser.choose(".modal-ux select#password_type", place)
    browser.click(".modal-ux .auth-btn-wrapper button.authorize")


def call(browser):
    """What an operation is answered, the way a reader tries it."""
    browser.click(".modal-ux .btn-done")
    browser.click(f"{OPERATION} .opblock-summary-control")
    browser.click(f"{OPERATION} .try-out__btn")
    browser.click(f"{OPERATION} .execute")
    return browser.text(f"{OPERATION} .live-responses-table tbody .response-col_status")


@pytest.mark.parametrize(
    ("clients", "form", "client"),
    [
        ([], {}, "public"),
        ([], {"client_id": "anything", "secret": "anything"}, "public"),
        (CLIENTS, {}, "web"),
        (CLIENTS, {"client_id": "web"}, "web"),
        (CLIENTS, {"client_id": "web", "place": "request-body"}, "web"),
        (CLIENTS, {"client_id": "odd", "secret": SECRET, "place": "basic"}, "odd"),
        (CLIENTS, {"client_id": "odd", "secret": SECRET, "place": "request-body"}, "odd"),
    ],
    ids=["nothing", "ignored", "default", "id", "id-body", "secret-header", "secret-body"],
)
def test_log_in_and_call(clients, form, client, browser, page):
    doorward, application = page(clients)
    log_in(browser, **form)
    browser.wait("[...document.querySelectorAll('.modal-ux button')].some(e => e.innerText === 'Logout')")
    assert call(browser).startswith("200")
    [seen] = application.seen("/users/me/")
    assert seen.header("Authorization").startswith("Bearer ")
    doorward.counts(1, "doorward_token_requests_total", grant_type="password", result="ok")
    [issued] = doorward.output.told("issued")
    assert f"client={client} " in issued + " "
    assert (browser.dialogs, browser.blocked, browser.problems) == ([], [], [])


def test_the_dialog_says_that_a_password_is_wrong(browser, page):
    _, application = page([])
    log_in(browser, password="wrong")
    said = browser.text(".modal-ux .errors")
    assert "invalid_grant" in said and "Incorrect username or password" in said
    assert browser.dialogs == []
    assert application.seen("/users/me/") == []


@pytest.mark.parametrize("place", ["basic", "request-body"])
def test_a_wrong_secret_opens_no_window_of_the_browsers_own(place, browser, page):
    """Decision D4: Chromium asks the reader for a name and a password wherever a challenge says Basic."""
    doorward, _ = page(CLIENTS)
    log_in(browser, client_id="odd", secret="wrong", place=place)
    assert "invalid_client" in browser.text(".modal-ux .errors")
    assert browser.dialogs == []
    doorward.counts(1, "doorward_token_requests_total", grant_type="password", result="invalid_client")


def test_the_browser_opens_one_for_who_asks_for_it(browser):
    """What the tests above would see if doorward challenged as a client without a browser is challenged."""

    class Basic(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="doorward"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Basic)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        browser.dialogs.clear()
        url = f"http://127.0.0.1:{server.server_port}/"
        browser.open(url)
        assert browser.dialogs == [url]
    finally:
        server.shutdown()

"""Chromium without a window, told what to do through its DevTools protocol."""

import base64
import contextlib
import json
import re
import shutil
import subprocess
import time

import children
from recorders import command
from sidecar import DEADLINE, Output
from websockets.sync.client import connect


class Browser:
    """One Chromium with one page. Nothing that it asks for leaves this machine: `answers` are given in place of addresses elsewhere.

    `dialogs` are the addresses for which it would have asked for a name and a password in a window of its own.
    """

    def __init__(self, directory, answers):
        self.answers, self.dialogs, self.blocked = answers, [], []
        self.problems, self.results, self.number = [], {}, 0
        # A sandbox needs what containers forbid; it opens nothing but the test's own pages.
        name = "chromium-headless-shell" if shutil.which("chromium-headless-shell") else "chromium"
        told = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server", "--remote-debugging-port=0"]
        told += [f"--user-data-dir={directory}", "about:blank"]
        self.process = children.start([command(name), *told], end="KILL", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        address = Output(self.process).wait_for(re.compile(r"listening on (ws://\S+)").search)[1]
        self.open_until_closed = contextlib.ExitStack()
        self.socket = self.open_until_closed.enter_context(connect(address, max_size=None, proxy=None))
        self.session = None
        page = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.tell("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.tell("Page.enable")
        self.tell("Runtime.enable")
        self.tell("Fetch.enable", patterns=[{"urlPattern": "*"}], handleAuthRequests=True)

    def close(self):
        self.open_until_closed.close()
        self.process.kill()
        self.process.wait(DEADLINE)

    def send(self, method, **parameters):
        self.number += 1
        session = {"sessionId": self.session} if self.session else {}
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters} | session))
        return self.number

    def tell(self, method, **parameters):
        number = self.send(method, **parameters)
        end = time.monotonic() + DEADLINE
        while number not in self.results:
            self.listen(end - time.monotonic())
        result = self.results.pop(number)
        assert "error" not in result, (method, result["error"])
        return result.get("result", {})

    def listen(self, seconds):
        """Takes the next message, and answers what the page waits for."""
        message = json.loads(self.socket.recv(timeout=max(seconds, 0)))
        if "id" in message:
            self.results[message["id"]] = message
            return
        told = message["params"]
        match message["method"]:
            case "Fetch.requestPaused":
                self.paused(told)
            case "Fetch.authRequired":
                self.dialogs.append(told["request"]["url"])
                self.send("Fetch.continueWithAuth", requestId=told["requestId"], authChallengeResponse={"response": "CancelAuth"})
            case "Runtime.exceptionThrown":
                self.problems.append(told["exceptionDetails"]["text"])

    def paused(self, told):
        url, number = told["request"]["url"], told["requestId"]
        if url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.send("Fetch.continueRequest", requestId=number)
        elif url in self.answers:
            kind, content = self.answers[url]
            fields = [{"name": "Content-Type", "value": kind}, {"name": "Access-Control-Allow-Origin", "value": "*"}]
            self.send("Fetch.fulfillRequest", requestId=number, responseCode=200, responseHeaders=fields, body=base64.b64encode(content).decode())
        else:
            self.blocked.append(url)
            self.send("Fetch.failRequest", requestId=number, errorReason="BlockedByClient")

    def open(self, url):
        self.tell("Page.navigate", url=url)

    def ask(self, expression):
        """The value of a JavaScript expression in the page."""
        answer = self.tell("Runtime.evaluate", expression=expression, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, expression):
        """Its first value that is not empty."""
        end = time.monotonic() + DEADLINE
        while not (value := self.ask(expression)):
            assert time.monotonic() < end, f"{expression} did not come; the page says: {self.ask('document.body.innerText')[-1500:]} {self.problems}"
        return value

    def text(self, selector):
        """What the element says, once it is there and says something."""
        return self.wait(f"document.querySelector({json.dumps(selector)})?.innerText.trim()")

    def click(self, selector):
        self.wait(f"(e => e && !e.disabled && (e.click(), true))(document.querySelector({json.dumps(selector)}))")

    def type(self, selector, text):
        """As from a keyboard, in place of what the field has."""
        self.wait(f"(e => e && (e.focus(), e.select(), document.activeElement === e))(document.querySelector({json.dumps(selector)}))")
        self.tell("Input.insertText", text=text)

    def choose(self, selector, value):
        chosen = "(e => e && (e.value = VALUE, e.dispatchEvent(new Event('change', { bubbles: true })), e.value === VALUE))"
        self.wait(f"{chosen.replace('VALUE', json.dumps(value))}(document.querySelector({json.dumps(selector)}))")

"""`doorward demo` as a reader of the README meets it: started without arguments, its lines pasted into bash."""

import json
import os
import re
import shutil
import signal
import subprocess

import children
import pytest
from sidecar import Output

# Not jq, not Python: what a bare machine has.
TOOLS = ["bash", "curl", "sed", "grep", "cut", "tr", "head", "tail", "cat", "awk", "printf", "echo"]


@pytest.fixture
def bare_path(tmp_path):
    directory = tmp_path / "bin"
    directory.mkdir()
    for tool in TOOLS:
        if found := shutil.which(tool):
            (directory / tool).symlink_to(found)
    return directory


@pytest.fixture
def demo(binary, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    process = children.start(
        [binary, "demo"],
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    output = Output(process)
    yield process, output
    if process.poll() is None:
        process.kill()
    process.wait(10)


def commands(lines):
    """What a reader would copy: lines that start with `curl` or an assignment, with what follows a backslash."""
    found, continued = [], False
    for line in (line.strip().removeprefix("$ ") for line in lines):
        if continued:
            found[-1] += "\n" + line
        elif re.match(r"curl |[A-Za-z_]+=", line):
            found.append(line)
        else:
            continue
        continued = line.endswith("\\")
    return found


def test_pasted_lines_do_what_they_say(demo, bare_path, tmp_path):
    process, output = demo
    output.wait_for(lambda line: "Ctrl-C" in line)
    script = commands(output.lines)
    assert sum("curl " in command for command in script) >= 4, output.text
    marked = "\n".join(f"echo '@@@{number}'\n{command}" for number, command in enumerate(script))
    environment = {"PATH": str(bare_path), "HOME": str(tmp_path)}
    result = subprocess.run(["bash", "-c", marked], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "command not found" not in result.stderr, result.stderr
    answers = dict(re.findall(r"@@@(\d+)\n(.*?)(?=@@@|\Z)", result.stdout, re.DOTALL))
    shown = [(command, answers[str(number)]) for number, command in enumerate(script)]
    calls = [(command, answer) for command, answer in shown if command.startswith("curl")]

    assert body_of(calls[0][1])["detail"] == "Not authenticated"
    served, forbidden, dead = [answer for command, answer in calls if "Authorization" in command]
    assert "200 OK" in served and "x-forwarded-user" in served.lower(), "the built-in API shows what it received"
    assert '"demo"' in served
    assert body_of(forbidden)["reason"] == "insufficient-scope"
    [revoked] = [answer for command, answer in calls if "revoke-token" in command]
    assert body_of(revoked) == {"message": "Token revoked"}
    assert body_of(dead)["reason"] == "revoked"
    [first, renewed] = [body_of(answer) for command, answer in shown if re.match("LOGIN|RENEWED", command)]
    assert (first["token_type"], first["expires_in"], first["scope"]) == ("bearer", 900, "me items")
    assert renewed["access_token"] != first["access_token"] and renewed["refresh_token"] != first["refresh_token"]
    [metrics] = [answer for command, answer in calls if "/metrics" in command]
    assert re.search(r'doorward_decisions_total\{.*reason="revoked".*\} 1', metrics)

    process.send_signal(signal.SIGINT)
    process.wait(10)
    leftovers = [path for path in tmp_path.iterdir() if path.name not in ("bin", "home")]
    assert leftovers == [] and list((tmp_path / "home").iterdir()) == [], "nothing is left behind"


def test_every_demo_has_its_own_password(binary, demo, tmp_path):
    def password(output):
        return output.wait_for(lambda line: re.search(r"password[=: ]+['\"]?([A-Za-z0-9_-]{8,})", line))[1]

    _, first = demo
    second = children.start([binary, "demo"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert password(first) != password(Output(second)), "and both run at once, on ports of their own"
    finally:
        second.send_signal(signal.SIGINT)
        second.wait(10)


def body_of(answer):
    """The JSON object in what curl printed, with or without headers before it."""
    return json.loads(re.search(r"\{.*\}", answer, re.DOTALL)[0])

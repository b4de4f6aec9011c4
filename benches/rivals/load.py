"""Load by `wrk`: one thread and 64 connections on a core that the peer does not have."""

import json
import re
import subprocess
from dataclasses import dataclass

CONNECTIONS = 64

SCRIPT = """
local tokens = {}
for line in io.lines("%(tokens)s") do tokens[#tokens + 1] = line end
local body = %(body)s
local requests, next_one = {}, 0
function init()
  for at, token in ipairs(tokens) do
    local headers = {["Content-Type"] = "%(content_type)s"}
    if token ~= "" then headers["Authorization"] = "Bearer " .. token end
    requests[at] = wrk.format("%(method)s", "%(path)s", headers, body)
  end
end
function request()
  next_one = next_one %% #requests + 1
  return requests[next_one]
end
function done(summary, latency)
  local errors = summary.errors
  print("RESULT " .. summary.requests .. " " .. summary.duration .. " " .. errors.status .. " " ..
    errors.connect + errors.read + errors.write + errors.timeout .. " " .. latency:percentile(50) .. " " .. latency:percentile(99))
end
"""


@dataclass
class Load:
    requests: int
    seconds: float
    refused: int  # answers of 400 and above
    errors: int
    p50: float  # ms
    p99: float


def write_script(path, mode, tokens):
    path.with_suffix(".tokens").write_text("".join(f"{token}\n" for token in tokens))
    body, kind = "nil", "application/json"
    if mode.login:
        body, kind = json.dumps("username=johndoe&password=secret"), "application/x-www-form-urlencoded"
    elif mode.body:
        body = f'string.rep("x", {mode.body})'
    method = "POST" if mode.body or mode.login else "GET"
    target = "/token" if mode.login else "/items/42"
    path.write_text(SCRIPT % {"tokens": path.with_suffix(".tokens"), "body": body, "content_type": kind, "method": method, "path": target})


def run(core, script, url, seconds):
    command = ["taskset", "-c", core, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, "--latency", url]
    output = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout
    numbers = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    requests, duration, refused, errors, p50, p99 = map(float, numbers[1].split())
    return Load(int(requests), duration / 1e6, int(refused), int(errors), p50 / 1e3, p99 / 1e3)

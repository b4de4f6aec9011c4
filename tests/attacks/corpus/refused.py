"""Configurations that must not start."""

import subprocess

from .judge import Verdict
from .text import fill


def perform_refused(case, doors):
    """The verdict on a configuration that neither `check` nor `serve` may take."""
    verdict = Verdict(case.id, expected="refused")
    told = case.refused
    process = doors.prepare(case.door, changes=told.get("config"), folder=case.id)
    for name, content in told.get("files", {}).items():
        path = process.directory / name
        path.write_bytes(fill(content["text"], {}))
        path.chmod(int(content.get("mode", "0600"), 8))
    for command in told.get("before", []):
        subprocess.run(command, shell=True, cwd=process.directory, check=True)
    if "raw" in told:
        process.config.write_bytes(fill(told["raw"], {}))
    for command in ("check", "serve"):
        ran = subprocess.run([doors.binary, command, "--config", process.config], capture_output=True, timeout=case.patience, check=False)
        said = (ran.stdout + ran.stderr).decode("utf-8", "replace")
        verdict.got = f"exit {ran.returncode}"
        if ran.returncode not in ((1, 2) if command == "check" else (2,)):
            verdict.find("hole", f"`doorward {command}` ends with {ran.returncode}: {said[:400]}")
        for text in told.get("says", []):
            if text not in said:
                verdict.find("differs", f"`doorward {command}` does not say {text!r}: {said[:400]}")
        for text in told.get("silent", []):
            if text in said:
                verdict.find("hole", f"`doorward {command}` prints {text!r}")
    return verdict

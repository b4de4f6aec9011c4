"""The README's configuration, as it stands there."""

import re
import subprocess
from pathlib import Path

import yaml
from sidecar import password_hash

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_ten_lines_put_it_in_front_of_an_api(binary, tmp_path):
    settings, users, *_ = blocks("yaml")
    assert len(settings.splitlines()) <= 10
    config = tmp_path / "doorward.yaml"
    config.write_text(settings)
    entries = yaml.safe_load(users)
    for entry in entries:
        entry["password_hash"] = password_hash("secret")
    (tmp_path / "users.yaml").write_text(yaml.safe_dump(entries))
    checked = subprocess.run([binary, "check", "--config", config], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert ": ok, 4 routes, 1 users\n" in checked.stdout, checked.stdout


def test_the_two_commands_exist():
    makefile = (Path(__file__).resolve().parents[2] / "Makefile").read_text()
    for command in blocks("sh"):
        assert f"\n{command.split()[1]}:" in makefile

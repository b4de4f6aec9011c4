"""Scripts of tests/apps/node-clients: clients and providers that exist for Node only."""

import json
import os
import subprocess

import children
from recorders import command, node_packages
from sidecar import APPS

SCRIPTS = APPS / "node-clients"


def start(name, *arguments, environment=None):
    """`subprocess.Popen` of a script, with pipes for what it prints.

    Node looks for the packages of a module beside the module, and NODE_PATH does not count; for one read from its input it looks in
    the working directory.
    """
    with (SCRIPTS / name).open("rb") as script:
        return children.start(
            [command("node"), "--input-type=module", "-", *map(str, arguments)],
            stdin=script,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=node_packages("DOORWARD_NODE_CLIENTS"),
            env=os.environ | (environment or {}),
        )


def run(name, *arguments, environment=None, deadline=60):
    """What a script printed, read as JSON; it must end with 0."""
    process = start(name, *arguments, environment=environment)
    try:
        printed, errors = process.communicate(timeout=deadline)
    finally:
        process.kill()
    assert process.returncode == 0, errors.decode(errors="replace")
    return json.loads(printed)

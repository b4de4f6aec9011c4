"""Processes that a test starts and that do not outlive it, even if pytest is killed."""

import os
import shutil
import subprocess
import threading

# Of util-linux; the kernel then sends the signal when the thread that started the process is gone. Without it a killed run leaves
# its processes behind, and nothing else is different.
SETPRIV = shutil.which("setpriv")


class Starter(threading.Thread):
    """A thread that ends after all processes it started."""


def start(command, end="TERM", **options):
    """`subprocess.Popen`; the signal `end` is sent to the process if this one dies first. From the main thread or a `Starter` only."""
    thread = threading.current_thread()
    assert thread is threading.main_thread() or isinstance(thread, Starter), "it would end with its thread"
    before = [SETPRIV, "--pdeathsig", end, "--"] if SETPRIV else []
    return subprocess.Popen([*before, *map(str, command)], **options)


def unshare(*namespaces):
    """What to put before a command that is to have namespaces of its own; fails the test where they are not allowed."""
    prefix = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), *namespaces]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, (
        f"This test needs namespaces of its own (`{' '.join(prefix)}`), which are not allowed here ({tried.stderr.strip()}): "
        "allow unprivileged user namespaces, or in a container run as root with CAP_SYS_ADMIN (docker run --cap-add SYS_ADMIN "
        "--security-opt apparmor=unconfined)."
    )
    return prefix

"""Processor time: of a tree of processes, and how fast the core is that they run on."""

import os
import subprocess
import sys
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(root):
    """The process and all below it."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def seconds(root):
    """What the tree has used so far, of user and system."""
    total = 0
    for pid in tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))  # its own, and that of children it has waited for
    return total / TICKS


def resident(root):
    """MiB in memory, of the whole tree."""
    pages = 0
    for pid in tree(root):
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


# A fixed piece of work, fifteen times a second: about one part in a hundred of the core. The host slows cores down at random.
YARDSTICK = """
import sys, time
while True:
    began = time.thread_time()
    total = 0
    for number in range(8000):
        total += number * number
    print(time.thread_time() - began, flush=True)
    time.sleep(0.065)
"""


class Yardstick:
    """While it is entered, work is timed on `core`; `cost` is then the median in seconds."""

    def __init__(self, core):
        self.core = core

    def __enter__(self):
        self.process = subprocess.Popen(
            ["taskset", "-c", str(self.core), sys.executable, "-c", YARDSTICK], stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_):
        self.process.terminate()
        costs = sorted(float(line) for line in self.process.communicate()[0].splitlines())
        self.cost = costs[len(costs) // 2] if costs else float("nan")

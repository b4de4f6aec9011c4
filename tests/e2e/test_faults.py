"""The matrix of faults.yaml, run: each fault at each moment, with real servers, signals, and a network that can be cut.

All cells that are asked for run at once, as many as the machine bears; each test then tells of its own.
"""

import os
import queue
import time
from pathlib import Path

import children
import pytest
from fault_matrix import DATA, Cell, Place, cells, page
from faults import FAULTS

# Mostly they wait.
AT_ONCE = int(os.environ.get("FAULTS_AT_ONCE", "6"))


@pytest.fixture(scope="module")
def outcomes(request, binary, applications, tmp_path_factory):
    """What became of each cell that is asked for: how long it took to heal, or what went wrong."""
    asked = [item.callspec.params for item in request.session.items if item.fspath == request.fspath and hasattr(item, "callspec")]
    upstream = applications("shop")
    waiting, found = queue.SimpleQueue(), {}
    for params in asked:
        waiting.put((params["fault"], params["moment"]))

    def work():
        while True:
            try:
                fault, moment = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                found[fault, moment] = run(fault, moment, binary, upstream, tmp_path_factory.mktemp(f"{fault}-{moment}"))
            except Exception as problem:
                found[fault, moment] = problem

    threads = [children.Starter(target=work, daemon=True) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def run(fault, moment, binary, upstream, directory):
    place, began = None, time.monotonic()
    try:
        place = Place(fault, binary, upstream, directory)
        return Cell(fault, moment, place).run()
    except Exception as problem:
        for replica in (place.one, place.two) if place else ():
            if replica.process:
                problem.add_note(f"after {time.monotonic() - began:.1f} s, {replica.directory.name} wrote:\n" + "\n".join(replica.output.lines[-25:]))
        return problem
    finally:
        if place:
            place.close()


@pytest.mark.parametrize(("fault", "moment"), cells())
def test_fault(fault, moment, outcomes):
    outcome = outcomes[fault, moment]
    if isinstance(outcome, Exception):
        raise outcome
    print(f"healed within {outcome:.1f} s")


def test_the_page_is_what_the_data_says():
    path = Path(__file__).resolve().parents[2] / "docs" / "failures.md"
    assert path.read_text() == page(), "write it anew: python tests/e2e/fault_matrix.py > docs/failures.md"


def test_each_fault_has_a_row_and_each_row_a_fault():
    assert set(DATA["faults"]) == set(FAULTS)

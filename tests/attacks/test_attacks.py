"""Every case of the corpus against the real binary."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
from conftest import binary  # noqa: E402, F401
from corpus import case as corpus  # noqa: E402
from corpus.doors import Doors  # noqa: E402
from corpus.perform import perform  # noqa: E402
from corpus.refused import perform_refused  # noqa: E402

CASES = corpus.load()
# For all requests together; a hash of a password fills 19 MiB while it is computed, and an allocator keeps some of it.
ROOM = 96 << 20


@pytest.fixture(scope="session")
def doors(binary, tmp_path_factory):  # noqa: F811
    doors = Doors(binary, tmp_path_factory.mktemp("doors"))
    yield doors
    doors.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_attack(case, doors):
    verdict = perform_refused(case, doors) if case.refused is not None else perform(case, doors[case.door])
    assert verdict.ok, f"{case.file}: {case.about}\n" + "\n".join(verdict.findings)


def test_no_credential_is_in_a_log(doors):
    """After all that the cases above sent, as often as they sent it."""
    for door in doors.open.values():
        for name, secret in door.secrets().items():
            assert secret not in door.log.text, f"{name} is in the log of {door.name}"
        for user in doors.users:
            assert user["password"] not in door.log.text, f"a password is in the log of {door.name}"


def test_memory_comes_back_and_all_end_in_order(doors):
    for door in doors.open.values():
        grown = door.process.resident_bytes() - door.began_with
        assert grown <= ROOM, f"{door.name} has grown by {grown >> 20} MiB"
        door.process.stop()
        assert "panic" not in door.log.text, f"{door.name} has panicked"


def test_every_attack_is_a_case_or_left_out():
    cases, left_out = {case.attack for case in CASES}, corpus.left_out()
    assert set(corpus.attacks()) - cases - set(left_out) == set()
    assert cases & set(left_out) == set(), "what is left out has no case"
    assert (cases | set(left_out)) - set(corpus.attacks()) == set(), "only ids of the list"

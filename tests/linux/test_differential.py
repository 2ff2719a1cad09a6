"""Random programs do the same on the simulated machine and on the real kernel.

``python -m tests.linux.differential`` runs any number of them; here are a few
of each family, and what the search has found (``differences.json``).
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.linux.differential import PATIENCE_S, Difference, cut, difference, steady
from tests.linux.generate import FAMILIES
from tests.linux.generate.composing import composed, rehearsed
from tests.linux.generate.excluded import reason
from tests.linux.machine import BackendName, Case
from tests.linux.oplang import Written
from tests.linux.real.conductor import RealKernel
from tests.linux.replay import HERE, differences, load

LENGTH = 25
PROGRAMS = 3
"""Of each family: a sample, the same each time.  The command is for searching."""
MEASURED = (6, 18)
"""The kernel that the simulated machine is like."""


def kernel_release() -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", os.uname().release) if sys.platform == "linux" else None
    return tuple(map(int, found.groups())) if found else (0, 0)


needs_the_measured_kernel = pytest.mark.skipif(
    kernel_release() != MEASURED,
    reason="the simulated machine is like Linux 6.18, and this kernel is another",
)


@pytest.fixture(scope="module")
def real() -> Iterator[RealKernel]:
    try:
        kernel = RealKernel(PATIENCE_S).__enter__()
    except (OSError, RuntimeError) as error:
        pytest.skip(f"no process of our own can lead cases here: {error}")
    with contextlib.closing(kernel):
        yield kernel


@needs_the_measured_kernel
@pytest.mark.parametrize("family", FAMILIES)
def test_both_machines_do_the_same(family: str, real: RealKernel) -> None:
    @settings(
        max_examples=PROGRAMS,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(dice=st.randoms(use_true_random=False))
    def compare(dice: Random) -> None:
        program = composed(FAMILIES[family](dice), LENGTH)
        found = steady(family, program, real.outcomes)
        if found is not None and not reason(family, found.program, found.simulated, found.real):
            pytest.fail(f"{found}\n\n{found.script()}")

    compare()


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
@pytest.mark.parametrize("case", load(HERE / "differences.json"), ids=lambda case: case.id)
def test_what_was_found_stays_mended(case: Case, backend: BackendName) -> None:
    assert [str(difference) for difference in differences(case, backend)] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_the_same_for_the_same_seed(family: str) -> None:
    programs = [composed(FAMILIES[family](Random(f"{family}:5")), 30) for _ in range(2)]
    assert programs[0] == programs[1]
    assert len(programs[0]) >= 5


def lying_kernel(case: Case) -> list[Written]:
    """One that writes a byte less than it is asked to, if that is a ``c``."""
    program = rehearsed([line for line, _ in case.steps])
    return [0 if "c*1" in line and outcome == 1 else outcome for line, outcome in program]


def test_a_difference_is_cut_down_to_what_it_needs() -> None:
    lines = ["r1 w2 = pipe", "write w2 a*2", "r3 w4 = pipe", "write w4 c*1", "read r1 9"]
    found = difference("lie", rehearsed(lines), lying_kernel)
    assert found is not None
    short = cut(found, lying_kernel)
    assert [line for line, _ in short.program] == ["r3 w4 = pipe", "write w4 c*1"]
    assert (short.simulated, short.real) == (1, 0)
    assert short.script() == {
        "id": "lie",
        "steps": [["r3 w4 = pipe", ["fd", "fd"]], ["write w4 c*1", 0]],
    }


def test_a_program_that_agrees_has_no_difference() -> None:
    program = rehearsed(["r1 w2 = pipe", "read r9 1", "join B", "write w2 a*2"])
    assert [line for line, _ in program] == ["r1 w2 = pipe", "write w2 a*2"]
    assert difference("same", program, lying_kernel) is None


def test_only_what_is_listed_is_explained() -> None:
    state = (("tcpstate s1", "FIN_WAIT2"),)
    assert reason("tcp:0:1", state, "FIN_WAIT2", "FIN_WAIT1")
    assert not reason("tcp:0:1", state, "ESTABLISHED", "FIN_WAIT1")
    assert not reason("pipes:0:1", state, "FIN_WAIT2", "FIN_WAIT1")


def test_a_race_of_sleepers_is_explained_only_if_they_slept_on_one_socket() -> None:
    one = (("recv s1 9", "BLOCK"), ("B: send s2 'x'", 1), ("join A", "'x'"))
    same = (("C: s4 = dup s1", "fd"), ("C: recv s4 9", "BLOCK"), *one)
    other = (("C: recv s3 9", "BLOCK"), *one)
    assert reason("parked-stream:0:1", same, "'x'", "BLOCK")
    assert not reason("parked-stream:0:1", one, "'x'", "BLOCK")
    assert not reason("parked-stream:0:1", other, "'x'", "BLOCK")
    gone = (*same[:-1], ("join C", "'x'"), ("B: send s2 'y'", 1), ("join A", "'y'"))
    before = (("C: recv s1 9", "BLOCK"), ("B: send s2 'y'", 1), ("join C", "'y'"), *one)
    assert reason("parked-stream:0:1", gone, "'y'", "BLOCK")
    assert not reason("parked-stream:0:1", before, "'x'", "BLOCK")


def test_a_splice_explains_a_merge_only_if_it_moved_something() -> None:
    moved = (("splice r1 w4 9 SPLICE_F_NONBLOCK", 7), ("write w4 a*2", "EAGAIN"))
    none = (("splice r1 w4 9 SPLICE_F_NONBLOCK", "EAGAIN"), ("write w4 a*2", "EAGAIN"))
    assert reason("pipes:0:1", moved, 2, "EAGAIN")
    assert not reason("pipes:0:1", none, 2, "EAGAIN")
    assert not reason("pipes:0:1", moved, 2, 1)


def test_a_race_for_a_lock_needs_two_who_sleep() -> None:
    one = (("B: flock f1 LOCK_SH", "BLOCK"), ("flock f2 LOCK_UN", "ok"), ("join B", "ok"))
    two = (("C: flock f3 LOCK_EX", "BLOCK"), *one)
    assert reason("parked-locks:0:1", two, "ok", "BLOCK")
    assert not reason("parked-locks:0:1", one, "ok", "BLOCK")


def test_what_was_done_before_explains_only_if_it_was() -> None:
    ignored = (("B: ignore SIGCHLD", "SIG_DFL"), ("kill %C 0", "ok"))
    assert reason("processes:0:1", ignored, "ok", "ESRCH")
    assert not reason("processes:0:1", ignored[1:], "ok", "ESRCH")
    assert not reason("processes:0:1", ignored[::-1], "ok", "ESRCH")


def test_a_peek_explains_who_is_not_woken_and_nothing_else() -> None:
    peeks = (("C: recv s1 9 MSG_PEEK", "BLOCK"), ("recv s1 9", "BLOCK"), ("B: send s2 'x'", 1))
    program = (*peeks, ("join A", "'x'"))
    assert reason("parked-dgram:0:1", program, "'x'", "BLOCK")
    assert not reason("parked-dgram:0:1", program, "'x'", "'y'")
    assert not reason("parked-dgram:0:1", (*peeks, ("poll s2", "OUT")), "OUT", "-")


def test_a_difference_reads_as_a_script() -> None:
    found = Difference("pipes:0:1", (("r1 w2 = pipe", ["fd", "fd"]), ("fdno r1", 3)), 3, 4)
    assert str(found).splitlines() == [
        "pipes:0:1",
        '  r1 w2 = pipe                                 ["fd", "fd"]',
        "  fdno r1                                      4",
        "  simulated: 3",
    ]

"""System V semaphores: all at once or none, whom a change lets in, what an end undoes."""

from __future__ import annotations

import pytest

from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sysv.identifiers import (
    IPC_CREAT,
    IPC_EXCL,
    IPC_NOWAIT,
    IPC_PRIVATE,
    IPC_RMID,
)
from asyncipc.kernel.sysv.semaphore_call import SemaphoreCall
from asyncipc.kernel.sysv.semaphore_sets import GETNCNT, GETPID, GETVAL, GETZCNT, SemaphoreSets
from asyncipc.kernel.sysv.semaphores import SEM_UNDO, SemaphoreSet
from tests.kernel.helpers import failure
from tests.kernel.sleepers import Caller

KEY = 77


class Bench:
    def __init__(self) -> None:
        self.kernel = Kernel()
        self.sets: SemaphoreSets = self.kernel.semaphore_sets
        self.a, self.b, self.c = (self.process() for _ in range(3))
        self.id = self.sets.get(self.a, IPC_PRIVATE, 3, 0o600)

    def process(self) -> Process:
        return self.kernel.first_process("main", Console(self.kernel, 0))

    def op(
        self, process: Process, *operations: tuple[int, int, int], served: bool = True
    ) -> Caller:
        return Caller(self.sets.operate(process, self.id, operations), served=served)

    def set(self, *values: int) -> None:
        self.sets.set_all(self.a, self.id, values)

    def values(self) -> list[int]:
        return self.sets.get_all(self.a, self.id)

    def ask(self, index: int, command: int) -> int:
        return self.sets.control(self.a, self.id, index, command)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(params=[True, False], ids=["served", "woken"])
def served(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_all_operations_are_done_or_none(bench: Bench) -> None:
    bench.set(1, 0, 0)
    assert bench.op(bench.a, (0, -1, 0), (1, -1, IPC_NOWAIT)).result == "EAGAIN"
    assert bench.values() == [1, 0, 0]
    assert bench.op(bench.a, (0, -1, 0), (2, 4, 0)).result is None
    assert bench.values() == [0, 0, 4]


def test_operations_count_one_after_the_other(bench: Bench) -> None:
    assert bench.op(bench.a, (1, 1, 0), (1, -1, 0)).result is None
    assert bench.op(bench.a, (1, -1, IPC_NOWAIT), (1, 1, 0)).result == "EAGAIN"
    assert bench.op(bench.a, (1, 0, 0), (1, 1, 0)).result is None
    assert bench.op(bench.a, (1, 0, IPC_NOWAIT), (1, 1, 0)).result == "EAGAIN"


def test_errors_in_the_order_of_linux(bench: Bench) -> None:
    semop = bench.sets.operate
    assert bench.op(bench.a).result == "EINVAL"
    assert Caller(semop(bench.a, 99999, [(0, 1, 0)] * 501)).result == "E2BIG"
    assert Caller(semop(bench.a, 99999, [(0, 1, 0)])).result == "EINVAL"
    assert bench.op(bench.a, (3, 1, 0)).result == "EFBIG"
    assert bench.op(bench.a, (0, 32767, 0), (0, 1, 0)).result == "ERANGE"
    assert bench.values() == [0, 0, 0]
    assert failure(bench.sets.set_value, bench.a, 99999, 0, -1) == "ERANGE"
    assert failure(bench.sets.set_value, bench.a, 99999, 0, 1) == "EINVAL"
    assert failure(bench.sets.set_value, bench.a, bench.id, 3, 1) == "EINVAL"
    assert failure(bench.sets.set_all, bench.a, bench.id, [0, 0, 32768]) == "ERANGE"
    assert failure(bench.ask, 3, GETVAL) == "EINVAL"
    assert failure(bench.ask, 0, 99) == "EINVAL"


def test_semget_by_key(bench: Bench) -> None:
    get = bench.sets.get
    assert failure(get, bench.a, KEY, 1, 0) == "ENOENT"
    assert failure(get, bench.a, KEY, 0, IPC_CREAT) == "EINVAL"
    assert failure(get, bench.a, KEY, 32001, IPC_CREAT) == "EINVAL"
    made = get(bench.a, KEY, 2, IPC_CREAT | 0o600)
    assert get(bench.a, KEY, 0, 0) == get(bench.b, KEY, 2, IPC_CREAT) == made
    assert failure(get, bench.a, KEY, 3, 0) == "EINVAL"
    assert failure(get, bench.a, KEY, 2, IPC_CREAT | IPC_EXCL) == "EEXIST"


def test_mode_bits_say_who_may_look_and_who_may_change(bench: Bench) -> None:
    bench.id = bench.sets.get(bench.a, IPC_PRIVATE, 1, 0o604)
    bench.b.uid = bench.b.gid = 1000
    assert bench.op(bench.b, (0, 0, 0)).result is None
    assert bench.op(bench.b, (0, 1, 0)).result == "EACCES"
    assert failure(bench.sets.set_value, bench.b, bench.id, 0, 1) == "EACCES"
    assert bench.sets.control(bench.b, bench.id, 0, GETVAL) == 0
    assert failure(bench.sets.remove, bench.b, bench.id) == "EPERM"
    assert failure(bench.sets.set, bench.b, bench.id, 0, 0, 0) == "EPERM"
    bench.sets.set(bench.a, bench.id, 1000, 1000, 0o200)
    assert failure(bench.sets.stat, bench.b, bench.id) == "EACCES"
    assert bench.op(bench.b, (0, 1, 0)).result is None


def test_who_could_go_on_does_whoever_came_before(bench: Bench, served: bool) -> None:
    big = bench.op(bench.a, (0, -3, 0), served=served)
    small = bench.op(bench.b, (0, -1, 0), served=served)
    bench.op(bench.c, (0, 2, 0))
    big.run()
    small.run()
    assert (big.asleep, small.asleep) == (True, False)
    bench.op(bench.c, (0, 2, 0))
    big.run()
    assert not big.asleep
    assert bench.values() == [0, 0, 0]


def test_who_waits_for_zero_goes_before_who_changes(bench: Bench, served: bool) -> None:
    bench.set(1, 0, 0)
    changer = bench.op(bench.a, (0, 0, 0), (0, 1, 0), served=served)
    zero = bench.op(bench.b, (0, 0, 0), served=served)
    bench.op(bench.c, (0, -1, 0))
    for caller in (changer, zero, changer):
        caller.run()
    assert (changer.asleep, zero.asleep) == (False, False)
    assert bench.values() == [1, 0, 0]


def test_one_change_lets_in_a_chain(bench: Bench, served: bool) -> None:
    third = bench.op(bench.c, (2, -1, 0), served=served)
    second = bench.op(bench.b, (1, -1, 0), (2, 1, 0), served=served)
    first = bench.op(bench.a, (0, -1, 0), (1, 1, 0), served=served)
    bench.op(bench.a, (0, 1, 0))
    for caller in (first, second, third):
        caller.run()
    assert not any(caller.asleep for caller in (first, second, third))
    assert bench.values() == [0, 0, 0]


def test_a_crowd_is_let_in_by_one_change(bench: Bench) -> None:
    crowd = [bench.op(bench.a, (0, -1, 0)) for _ in range(2000)]
    bench.op(bench.b, (0, 1999, 0))
    assert [caller.asleep for caller in crowd] == [False] * 1999 + [True]


def test_who_changes_a_set_acts_for_those_whom_that_lets_go_on(bench: Bench, served: bool) -> None:
    sleeper = bench.op(bench.b, (0, -1, 0), (1, 2, 0), served=served)
    bench.set(1, 0, 0)
    assert bench.values() == [0, 2, 0]
    assert bench.ask(0, GETPID) == bench.ask(1, GETPID) == bench.b.pid
    assert bench.ask(2, GETPID) == bench.a.pid
    assert bench.ask(0, GETNCNT) == 0
    assert bench.op(bench.c, (0, -1, IPC_NOWAIT)).result == "EAGAIN"
    sleeper.run()
    assert sleeper.result is None
    assert bench.values() == [0, 2, 0]


def test_what_is_free_is_had_at_once_whoever_has_been_woken(bench: Bench) -> None:
    bench.set(0, 5, 0)
    bench.op(bench.a, (0, -1, 0), served=False)
    bench.op(bench.b, (0, 2, 0))
    for operation in ((1, -1, 0), (1, -1, IPC_NOWAIT), (0, -1, IPC_NOWAIT)):
        assert bench.op(bench.c, operation).result is None
    assert bench.values() == [0, 3, 0]


def test_a_cancelled_sleeper_has_not_acted(bench: Bench) -> None:
    sleeper = bench.op(bench.b, (0, -1, SEM_UNDO), (1, 1, 0), (1, -1, 0), served=False)
    other = bench.op(bench.c, (0, -1, 0), served=False)
    bench.op(bench.a, (0, 1, 0))
    assert bench.values() == [0, 0, 0]
    sleeper.cancel()
    sleeper.cancel()
    other.run()
    assert not other.asleep
    assert bench.values() == [0, 0, 0]
    bench.kernel.end(bench.b, 9)
    assert bench.values() == [0, 0, 0], "there is nothing to undo"


def test_what_was_set_since_stays_if_a_sleeper_is_cancelled(bench: Bench) -> None:
    sleeper = bench.op(bench.b, (0, -1, SEM_UNDO), (1, -1, SEM_UNDO), served=False)
    bench.set(1, 1, 0)
    bench.sets.set_value(bench.a, bench.id, 0, 7)
    sleeper.cancel()
    assert bench.values() == [7, 1, 0]
    bench.kernel.end(bench.b, 9)
    assert bench.sets.get_all(bench.a, bench.id) == [7, 1, 0]


@pytest.mark.parametrize(("flags", "left"), [(0, 0), (SEM_UNDO, 1)])
def test_a_sleeper_killed_before_it_ran_has_acted(bench: Bench, flags: int, left: int) -> None:
    sleeper = bench.op(bench.b, (0, -1, flags), served=False)
    bench.op(bench.a, (0, 1, 0))
    bench.kernel.end(bench.b, 9)
    sleeper.cancel()
    assert bench.values()[0] == left


def test_the_dying_are_not_let_go_on(bench: Bench) -> None:
    bench.set(1, 0, 0)
    bench.op(bench.b, (0, -1, SEM_UNDO))
    own = bench.op(bench.b, (0, -1, 0), served=False)
    other = bench.op(bench.c, (0, -1, 0), served=False)
    bench.kernel.end(bench.b, 9)
    own.cancel()
    other.run()
    assert (own.asleep, other.asleep) == (True, False)


def test_a_change_asks_only_whom_it_may_concern(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    attempt = SemaphoreSet.attempt

    def note(found: SemaphoreSet, call: SemaphoreCall) -> int | None:
        asked.append(call)
        return attempt(found, call)

    bench.set(0, 1, 1)
    for number, change in ((0, -1), (1, 0), (2, 0), (2, -3)):
        for _ in range(5):
            bench.op(bench.a, (number, change, 0))
    monkeypatch.setattr(SemaphoreSet, "attempt", note)

    def are_asked(*operations: tuple[int, int, int]) -> int:
        asked.clear()
        bench.op(bench.b, *operations)
        return len(asked) - 1

    assert are_asked((1, 1, 0)) == 0
    assert are_asked((2, 1, 0)) == 5
    assert are_asked((2, -1, 0)) == 0
    assert are_asked((0, 1, 0)) == 1
    assert are_asked((1, -2, 0)) == 5
    bench.op(bench.c, (0, -9, 0), (1, 0, 0))
    assert are_asked((1, 0, 0)) == 0
    assert are_asked((1, 1, 0)) == 4 + 5 + 1, "in one line, as long as one waits for several"


def test_who_leaves_instead_of_acting_lets_the_next_in(bench: Bench) -> None:
    first, second = (bench.op(bench.a, (0, -1, 0), served=False) for _ in range(2))
    bench.op(bench.b, (0, 1, 0))
    first.cancel()
    second.run()
    assert not second.asleep


def test_a_sleeper_can_meet_nowait_later(bench: Bench, served: bool) -> None:
    sleeper = bench.op(bench.a, (2, -1, 0), (0, -1, IPC_NOWAIT), served=served)
    assert sleeper.asleep
    bench.op(bench.b, (2, 1, 0))
    sleeper.run()
    assert sleeper.result == "EAGAIN"
    assert bench.values() == [0, 0, 1]


def test_removal_tells_every_sleeper(bench: Bench, served: bool) -> None:
    sleepers = [bench.op(bench.a, (0, -1, 0), served=served) for _ in range(3)]
    bench.ask(0, IPC_RMID)
    for sleeper in sleepers:
        sleeper.run()
    assert [sleeper.result for sleeper in sleepers] == ["EIDRM"] * 3
    assert bench.op(bench.a, (0, 1, 0)).result == "EINVAL"


def test_sleepers_are_counted_at_what_blocks_them_first(bench: Bench) -> None:
    bench.set(0, 1, 0)
    bench.op(bench.a, (1, -1, 0), (0, -1, 0))
    bench.op(bench.b, (1, 0, 0))
    assert [bench.ask(index, GETNCNT) for index in range(3)] == [1, 0, 0]
    assert [bench.ask(index, GETZCNT) for index in range(3)] == [0, 1, 0]


def test_who_waits_for_zeros_is_asked_only_when_something_is_zero(bench: Bench) -> None:
    """And is counted where it was last found blocked (measured)."""

    def waiting() -> list[int]:
        return [bench.ask(index, GETZCNT) for index in range(3)]

    bench.set(1, 1, 1)
    bench.op(bench.b, (0, 0, 0), (1, 0, 0))
    assert waiting() == [1, 0, 0]
    for index, value, counted in ((0, 0, [0, 1, 0]), (0, 5, [0, 1, 0]), (2, 0, [1, 0, 0])):
        bench.sets.set_value(bench.a, bench.id, index, value)
        assert waiting() == counted


def test_getpid_is_who_operated_last_be_it_for_zero(bench: Bench) -> None:
    assert bench.ask(0, GETPID) == 0
    bench.op(bench.b, (0, 0, 0))
    assert bench.ask(0, GETPID) == bench.b.pid


# -- SEM_UNDO


def test_an_end_undoes_what_was_asked_to_be_undone(bench: Bench, served: bool) -> None:
    bench.set(5, 0, 0)
    bench.op(bench.a, (0, -3, SEM_UNDO), (1, 2, SEM_UNDO), (2, 1, 0))
    sleeper = bench.op(bench.b, (0, -5, 0), served=served)
    bench.kernel.end(bench.a, 9)
    sleeper.run()
    assert not sleeper.asleep
    assert bench.sets.get_all(bench.b, bench.id) == [0, 0, 1]
    assert bench.sets.control(bench.b, bench.id, 1, GETPID) == bench.a.pid


def test_undoing_ends_at_zero(bench: Bench) -> None:
    bench.op(bench.b, (0, 3, SEM_UNDO))
    bench.op(bench.c, (0, -2, 0))
    bench.kernel.end(bench.b, 9)
    assert bench.values()[0] == 0


def test_what_is_to_be_undone_has_a_range(bench: Bench) -> None:
    bench.op(bench.a, (0, 32767, SEM_UNDO))
    bench.op(bench.a, (0, -32767, 0))
    assert bench.op(bench.a, (0, 1, SEM_UNDO)).result is None
    assert bench.op(bench.a, (0, 2, SEM_UNDO)).result == "ERANGE"
    bench.sets.set_value(bench.a, bench.id, 0, 0)
    assert bench.op(bench.a, (0, 2, SEM_UNDO)).result is None


def test_setval_forgets_what_was_to_be_undone(bench: Bench) -> None:
    bench.op(bench.b, (0, 1, SEM_UNDO), (1, 1, SEM_UNDO))
    bench.sets.set_value(bench.a, bench.id, 0, 9)
    bench.kernel.end(bench.b, 9)
    assert bench.values() == [9, 0, 0]


def test_a_child_does_not_undo_what_its_parent_did_and_exec_keeps_it(bench: Bench) -> None:
    bench.op(bench.b, (0, 1, SEM_UNDO))
    child = bench.kernel.fork(bench.b, "child")
    bench.kernel.end(child, 0)
    bench.kernel.execute(bench.b, "another")
    assert bench.values()[0] == 1
    bench.kernel.end(bench.b, 0)
    assert bench.values()[0] == 0


def test_a_removed_set_is_not_undone(bench: Bench) -> None:
    bench.op(bench.b, (0, 1, SEM_UNDO))
    bench.ask(0, IPC_RMID)
    bench.kernel.end(bench.b, 0)
    assert failure(bench.values) == "EINVAL"


def test_who_would_add_by_its_end_is_who_could_wake(bench: Bench) -> None:
    bench.set(1, 0, 0)
    bench.op(bench.a, (0, -1, SEM_UNDO))
    sleeper = bench.op(bench.b, (0, -1, SEM_UNDO))
    assert sleeper.verb.wakers(0) == (bench.a,)  # type: ignore[attr-defined]
    assert sleeper.verb.awaited() == (  # type: ignore[attr-defined]
        f"1 of semaphore 0 of set {bench.id}"
    )

"""Process-shared mutexes and conditions: what each kind answers, who owns, who dies."""

from __future__ import annotations

from typing import Final

import pytest

from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.memory.contents import Contents
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sync.condition import Condition, ConditionWait
from asyncipc.kernel.sync.futex import Word
from asyncipc.kernel.sync.mutex import (
    PTHREAD_MUTEX_ERRORCHECK,
    PTHREAD_MUTEX_NORMAL,
    PTHREAD_MUTEX_RECURSIVE,
    Mutex,
)
from asyncipc.kernel.sync.ownership import Owner
from tests.kernel.helpers import failure
from tests.kernel.sleepers import Caller

NORMAL: Final = PTHREAD_MUTEX_NORMAL
CHECKS: Final = PTHREAD_MUTEX_ERRORCHECK
RECURSIVE: Final = PTHREAD_MUTEX_RECURSIVE
ROBUST_KINDS: Final = [NORMAL, CHECKS, RECURSIVE]


class Bench:
    """Three processes, of which the first has a second task."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.contents = Contents(self.kernel.memory, 4096)
        self.a, self.b, self.c = (self.process() for _ in range(3))
        self.other_task = Owner(self.a.process, "another task")
        self.mutex = self.new(NORMAL)
        self.condition = Condition(self.kernel.futexes, Word(self.contents, 1024), "condition")
        self.condition.initialize()

    def process(self) -> Owner:
        process: Process = self.kernel.first_process("main", Console(self.kernel, 0))
        return Owner(process, process)

    def new(self, kind: int, robust: bool = False) -> Mutex:
        self.mutex = Mutex(self.kernel.futexes, Word(self.contents, 64), "mutex")
        self.mutex.initialize(kind, robust)
        return self.mutex

    def lock(self, owner: Owner, *, served: bool = True) -> Caller:
        return Caller(self.mutex.lock(owner), served=served)

    def wait(self, owner: Owner, *, served: bool = True) -> Caller:
        return Caller(self.condition.wait(self.mutex, owner), served=served)

    def end(self, owner: Owner) -> None:
        self.kernel.end(owner.process, 9)

    def words(self) -> tuple[int, ...]:
        """Lock word, count, owner, users."""
        return tuple(self.mutex.word.at(distance).get() for distance in (0, 4, 8, 12))


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(params=[True, False], ids=["served", "woken"])
def served(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


# -- what each kind answers


@pytest.mark.parametrize(
    ("kind", "robust", "locked"),
    [
        (NORMAL, False, (1, 0, True, 1)),
        (CHECKS, False, (1, 0, True, 1)),
        (RECURSIVE, False, (1, 1, True, 1)),
        (NORMAL, True, (True, 1, True, 1)),
        (CHECKS, True, (True, 1, True, 1)),
        (RECURSIVE, True, (True, 1, True, 1)),
    ],
)
def test_its_state_is_in_the_memory_as_glibc_has_it(
    bench: Bench, kind: int, robust: bool, locked: tuple[int, ...]
) -> None:
    bench.new(kind, robust)
    assert bench.lock(bench.a).result is None
    pid = bench.a.process.pid
    assert bench.words() == tuple(pid if word is True else word for word in locked)
    bench.mutex.unlock(bench.a)
    assert not bench.mutex.is_locked()
    assert bench.words()[0::2] == (0, 0)


@pytest.mark.parametrize(
    ("kind", "robust", "again", "trylock"),
    [
        (NORMAL, False, "asleep", "EBUSY"),
        (CHECKS, False, "EDEADLK", "EBUSY"),
        (RECURSIVE, False, None, "no error"),
        (NORMAL, True, "asleep", "EBUSY"),
        (CHECKS, True, "EDEADLK", "EDEADLK"),
        (RECURSIVE, True, None, "no error"),
    ],
)
def test_locking_it_twice(
    bench: Bench, kind: int, robust: bool, again: str | None, trylock: str
) -> None:
    bench.new(kind, robust)
    bench.lock(bench.a)
    assert failure(bench.mutex.try_lock, bench.a) == trylock
    assert bench.lock(bench.a).result == again
    assert failure(bench.mutex.try_lock, bench.b) == "EBUSY"
    assert failure(bench.mutex.try_lock, bench.other_task) == "EBUSY"


def test_a_recursive_one_is_unlocked_as_often_as_locked(bench: Bench) -> None:
    bench.new(RECURSIVE)
    bench.lock(bench.a)
    bench.lock(bench.a)
    bench.mutex.unlock(bench.a)
    assert failure(bench.mutex.try_lock, bench.b) == "EBUSY"
    bench.mutex.unlock(bench.a)
    assert failure(bench.mutex.try_lock, bench.b) == "no error"


def test_a_recursive_one_at_its_maximum_is_eagain(bench: Bench) -> None:
    bench.new(RECURSIVE)
    bench.lock(bench.a)
    bench.mutex.word.at(4).put(0xFFFFFFFF)
    assert bench.lock(bench.a).result == "EAGAIN"
    assert failure(bench.mutex.try_lock, bench.a) == "EAGAIN"


@pytest.mark.parametrize(
    ("kind", "robust", "foreign"),
    [
        (NORMAL, False, "no error"),
        (CHECKS, False, "EPERM"),
        (RECURSIVE, False, "EPERM"),
        (NORMAL, True, "EPERM"),
        (CHECKS, True, "EPERM"),
        (RECURSIVE, True, "EPERM"),
    ],
)
def test_unlocking_what_is_not_ones_own(
    bench: Bench, kind: int, robust: bool, foreign: str
) -> None:
    bench.new(kind, robust)
    assert failure(bench.mutex.unlock, bench.a) == foreign, "nobody's"
    bench.new(kind, robust)
    bench.lock(bench.a)
    assert failure(bench.mutex.unlock, bench.b) == foreign, "another process's"
    bench.new(kind, robust)
    bench.lock(bench.a)
    assert failure(bench.mutex.unlock, bench.other_task) == foreign, "another task's"


def test_destroy_is_ebusy_while_locked_unless_robust(bench: Bench) -> None:
    bench.new(NORMAL)
    bench.lock(bench.a)
    assert failure(bench.mutex.destroy) == "EBUSY"
    bench.new(NORMAL, robust=True)
    bench.lock(bench.a)
    assert failure(bench.mutex.destroy) == "no error"
    assert failure(bench.mutex.try_lock, bench.b) == "EINVAL"
    assert bench.lock(bench.b).result == "EINVAL"
    assert failure(bench.mutex.initialize, 3, False) == "EINVAL"


# -- who sleeps


def test_sleepers_get_it_in_order(bench: Bench, served: bool) -> None:
    bench.lock(bench.a)
    second, third = bench.lock(bench.b, served=served), bench.lock(bench.c, served=served)
    bench.mutex.unlock(bench.a)
    assert failure(bench.mutex.try_lock, bench.a) == "EBUSY", "it is the second's already"
    second.run()
    third.run()
    assert (second.asleep, third.asleep) == (False, True)
    bench.mutex.unlock(bench.b)
    third.run()
    assert not third.asleep
    assert bench.mutex.is_held_by(bench.c)


def test_who_leaves_with_it_gives_it_to_the_next(bench: Bench) -> None:
    bench.lock(bench.a)
    second, third = bench.lock(bench.b, served=False), bench.lock(bench.c, served=False)
    bench.mutex.unlock(bench.a)
    second.cancel()
    third.run()
    assert not third.asleep
    assert bench.mutex.is_held_by(bench.c)
    bench.mutex.unlock(bench.c)
    assert bench.words()[0::2] == (0, 0)
    assert len(bench.kernel.futexes) == 0


def test_the_owner_is_who_could_wake_a_sleeper(bench: Bench) -> None:
    bench.lock(bench.a)
    bench.lock(bench.b)
    assert bench.mutex.wakers(0) == (bench.a.process,)
    assert bench.mutex.awaited() == f"mutex of pid {bench.a.process.pid}"
    bench.end(bench.a)
    assert bench.mutex.awaited() == f"mutex of pid {bench.a.process.pid}, which is over"


# -- who dies


def test_a_dead_owner_keeps_one_that_is_not_robust(bench: Bench) -> None:
    bench.lock(bench.a)
    sleeper = bench.lock(bench.b)
    bench.end(bench.a)
    assert sleeper.asleep
    assert failure(bench.mutex.try_lock, bench.c) == "EBUSY"


@pytest.mark.parametrize("kind", ROBUST_KINDS)
def test_the_next_owner_after_a_death_is_told_once(bench: Bench, kind: int, served: bool) -> None:
    bench.new(kind, robust=True)
    bench.lock(bench.a)
    sleeper, last = bench.lock(bench.b, served=served), bench.lock(bench.c, served=served)
    bench.end(bench.a)
    sleeper.run()
    assert sleeper.result == "EOWNERDEAD"
    assert failure(bench.mutex.try_lock, bench.c) == "EBUSY", "and it is locked"
    bench.mutex.make_consistent(bench.b)
    assert failure(bench.mutex.make_consistent, bench.b) == "EINVAL"
    bench.mutex.unlock(bench.b)
    last.run()
    assert last.result is None


@pytest.mark.parametrize("kind", ROBUST_KINDS)
def test_unlocked_without_being_mended_it_is_lost_for_all(
    bench: Bench, kind: int, served: bool
) -> None:
    bench.new(kind, robust=True)
    bench.lock(bench.a)
    bench.end(bench.a)
    assert bench.lock(bench.b).result == "EOWNERDEAD"
    sleepers = [bench.lock(bench.c, served=served) for _ in range(2)]
    bench.mutex.unlock(bench.b)
    for sleeper in sleepers:
        sleeper.run()
    assert [sleeper.result for sleeper in sleepers] == ["ENOTRECOVERABLE"] * 2
    assert failure(bench.mutex.try_lock, bench.c) == "ENOTRECOVERABLE"
    assert failure(bench.mutex.unlock, bench.c) == "EPERM"
    assert failure(bench.mutex.make_consistent, bench.c) == "EINVAL"


def test_a_recursive_one_says_at_inner_unlocks_that_it_will_be_lost(bench: Bench) -> None:
    bench.new(RECURSIVE, robust=True)
    bench.lock(bench.a)
    bench.end(bench.a)
    assert failure(bench.mutex.try_lock, bench.b) == "EOWNERDEAD"
    assert failure(bench.mutex.try_lock, bench.b) == "no error"
    assert failure(bench.mutex.unlock, bench.b) == "ENOTRECOVERABLE"
    assert failure(bench.mutex.unlock, bench.b) == "no error"
    assert failure(bench.mutex.try_lock, bench.c) == "ENOTRECOVERABLE"


@pytest.mark.parametrize(
    ("kind", "locker", "mender"),
    [(CHECKS, "no error", "EPERM"), (RECURSIVE, "EPERM", "no error")],
)
def test_what_another_has_made_consistent_is_unlocked_by(
    bench: Bench, kind: int, locker: str, mender: str
) -> None:
    bench.new(kind, robust=True)
    bench.lock(bench.a)
    bench.end(bench.a)
    assert failure(bench.mutex.try_lock, bench.b) == "EOWNERDEAD"
    assert failure(bench.mutex.make_consistent, bench.c) == "no error"
    acts = [(bench.b, locker), (bench.c, mender)]
    for owner, answer in sorted(acts, key=lambda act: act[1] == "no error"):
        assert failure(bench.mutex.unlock, owner) == answer
    assert not bench.mutex.is_locked()


def test_two_dead_owners_are_told_twice(bench: Bench) -> None:
    bench.new(NORMAL, robust=True)
    bench.lock(bench.a)
    bench.end(bench.a)
    assert bench.lock(bench.b).result == "EOWNERDEAD"
    bench.end(bench.b)
    assert bench.lock(bench.c).result == "EOWNERDEAD"


def test_exec_is_a_death_for_robust_ones(bench: Bench) -> None:
    bench.new(NORMAL, robust=True)
    bench.lock(bench.a)
    bench.kernel.execute(bench.a.process, "another")
    assert failure(bench.mutex.try_lock, bench.b) == "EOWNERDEAD"


def test_a_child_does_not_own_what_its_parent_locked(bench: Bench) -> None:
    bench.new(CHECKS, robust=True)
    bench.lock(bench.a)
    child = bench.kernel.fork(bench.a.process, "child")
    assert failure(bench.mutex.unlock, Owner(child, child)) == "EPERM"
    bench.kernel.end(child, 0)
    assert bench.mutex.is_held_by(bench.a)


def test_who_is_told_of_a_death_and_leaves_at_once_passes_that_on(bench: Bench) -> None:
    bench.new(NORMAL, robust=True)
    bench.lock(bench.a)
    first, second = bench.lock(bench.b, served=False), bench.lock(bench.c, served=False)
    bench.end(bench.a)
    first.cancel()
    second.run()
    assert second.result == "EOWNERDEAD"
    bench.mutex.make_consistent(bench.c)
    bench.mutex.unlock(bench.c)
    assert failure(bench.mutex.try_lock, bench.b) == "no error"


# -- conditions


def test_a_wait_unlocks_and_a_signal_gives_the_mutex_back(bench: Bench, served: bool) -> None:
    bench.lock(bench.a)
    waiter = bench.wait(bench.a, served=served)
    assert waiter.asleep
    assert not bench.mutex.is_locked()
    bench.lock(bench.b)
    bench.condition.signal()
    waiter.run()
    assert waiter.asleep, "the mutex is the signaller's"
    bench.mutex.unlock(bench.b)
    waiter.run()
    assert waiter.result is None
    assert bench.mutex.is_held_by(bench.a)


def test_a_signal_is_for_the_first_and_a_broadcast_for_all(bench: Bench, served: bool) -> None:
    waiters = []
    for owner in (bench.a, bench.b, bench.c):
        bench.lock(owner)
        waiters.append((owner, bench.wait(owner, served=served)))
    bench.condition.signal()
    assert bench.mutex.is_held_by(bench.a)
    waiters[0][1].run()
    bench.condition.broadcast()
    for owner, waiter in waiters:
        waiter.run()
        assert not waiter.asleep
        assert bench.mutex.is_held_by(owner)
        bench.mutex.unlock(owner)
    assert len(bench.kernel.futexes) == 0


def test_who_waits_is_a_user_of_the_mutex(bench: Bench, served: bool) -> None:
    bench.lock(bench.a)
    waiter = bench.wait(bench.a, served=served)
    assert bench.words() == (0, 0, 0, 1)
    assert failure(bench.mutex.destroy) == "EBUSY"
    bench.condition.signal()
    if not served:
        waiter.run()
    assert bench.words()[3] == 1
    bench.mutex.unlock(bench.a)
    assert failure(bench.mutex.destroy) == "no error"


def test_a_signal_without_waiters_is_forgotten(bench: Bench) -> None:
    bench.condition.signal()
    bench.lock(bench.a)
    assert bench.wait(bench.a).asleep


def test_a_signal_while_its_waiter_is_stopped_wakes_it(bench: Bench, served: bool) -> None:
    bench.lock(bench.a)
    waiter = bench.wait(bench.a, served=served)
    waiter.stop()
    bench.condition.signal()
    waiter.go_on()
    assert waiter.result is None
    assert bench.mutex.is_held_by(bench.a)


def test_a_waiter_that_is_cancelled_as_it_is_signalled_passes_the_signal_on(
    bench: Bench,
) -> None:
    bench.lock(bench.a)
    first = bench.wait(bench.a, served=False)
    bench.lock(bench.b)
    second = bench.wait(bench.b, served=False)
    bench.condition.signal()
    first.cancel()
    assert isinstance(first.verb, ConditionWait)
    first.verb.abandon()
    second.run()
    assert second.result is None


@pytest.mark.parametrize("kind", [CHECKS, RECURSIVE])
def test_waiting_with_a_mutex_of_another_is_eperm(bench: Bench, kind: int) -> None:
    bench.new(kind)
    assert bench.wait(bench.a).result == "EPERM"
    bench.lock(bench.b)
    assert bench.wait(bench.a).result == "EPERM"


def test_a_recursive_mutex_is_unlocked_once_only(bench: Bench) -> None:
    bench.new(RECURSIVE)
    bench.lock(bench.a)
    bench.lock(bench.a)
    waiter = bench.wait(bench.a)
    assert bench.mutex.is_held_by(bench.a)
    bench.condition.signal()
    assert waiter.result is None
    assert bench.words()[1] == 2


def test_a_waiter_is_told_of_a_dead_owner(bench: Bench, served: bool) -> None:
    bench.new(CHECKS, robust=True)
    bench.lock(bench.a)
    waiter = bench.wait(bench.a, served=served)
    bench.lock(bench.b)
    bench.condition.signal()
    bench.end(bench.b)
    waiter.run()
    assert waiter.result == "EOWNERDEAD"
    assert bench.mutex.is_held_by(bench.a)
    assert bench.words()[3] == 1, "users, as measured"
    assert not waiter.verb.unlocked  # type: ignore[attr-defined]

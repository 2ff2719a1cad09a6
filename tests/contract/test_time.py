"""Virtual time, its limits, and the verdict when nobody can go on."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis.strategies import floats

import asyncipc
from asyncipc import posix
from asyncipc.kernel.readiness import IN
from asyncipc.kernel.signals.disposition import SIGSTOP
from asyncipc.runtime.clock import SECOND, TimerHeap, nanoseconds

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("virtual time")


def test_a_long_sleep_takes_no_time(run: Run) -> None:
    async def main() -> float:
        await anyio.sleep(1_000_000)
        return anyio.current_time()

    start = time.monotonic()
    assert run(main) == 1_000_000
    assert time.monotonic() - start < 10


def test_sleepers_wake_in_the_order_of_their_times(run: Run) -> None:
    order: list[float] = []

    async def sleeper(seconds: float) -> None:
        await anyio.sleep(seconds)
        order.append(seconds)
        assert anyio.current_time() == seconds

    async def main() -> None:
        for seconds in (0.3, 0.1, 7.0, 0.2):
            posix.fork(sleeper, seconds)

    run(main)
    assert order == [0.1, 0.2, 0.3, 7.0]


def test_a_deadline_between_two_nanoseconds_is_met_by_the_later(run: Run) -> None:
    """0.021 + 0.03 is a little more than 0.051, which no clock of nanoseconds shows."""

    async def main() -> float:
        await anyio.sleep(0.021)
        with anyio.move_on_after(0.03):
            await anyio.sleep_forever()
        return anyio.current_time()

    assert run(main, step_limit=1000) == 0.051000001


@pytest.mark.parametrize("seconds", [2.0**33 + 0.7, 1e20, 1.7e308, -1e20])
def test_the_nanosecond_of_a_far_time_is_the_first_that_is_shown_not_before_it(
    seconds: float,
) -> None:
    """To look at one nanosecond after the other would take for ever."""
    ns = nanoseconds(seconds)
    assert ns / SECOND == seconds
    assert (ns - 1) / SECOND < seconds


@given(floats(-1e12, 1e12))
def test_a_nanosecond_is_the_first_that_is_shown_not_before_a_time(seconds: float) -> None:
    ns = nanoseconds(seconds)
    assert (ns - 1) / SECOND < seconds <= ns / SECOND


def test_sleeps_of_ages_are_over_at_once(run: Run) -> None:
    async def main() -> float:
        await posix.nanosleep(1e20)
        assert await posix.poll([], 1e300) == []
        return anyio.current_time()

    assert run(main) == 1e300


# -- the heap of timers


def test_timers_that_were_cancelled_do_not_pile_up() -> None:
    heap, fired = TimerHeap(), []
    kept = [heap.arm(number * 1000, partial(fired.append, number)) for number in range(10)]
    for number in range(100_000):
        heap.cancel(heap.arm(number, lambda: None))
        assert len(heap) < 200
    heap.cancel(kept[3])
    heap.fire(10_000)
    heap.cancel(kept[4])  # which has fired
    assert fired == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert (heap.next_due(), len(heap)) == (None, 0)


def test_equal_times_keep_the_order_of_their_arming_through_a_sweep() -> None:
    heap, fired = TimerHeap(), []
    armed = [heap.arm(5, partial(fired.append, number)) for number in range(1000)]
    for number, timer in enumerate(armed):
        if number % 10:
            heap.cancel(timer)
            heap.cancel(timer)
    assert len(heap) < 250
    heap.fire(5)
    assert fired == list(range(0, 1000, 10))


def test_a_timer_that_cancels_others_as_it_fires_sweeps_the_heap_it_fires_from() -> None:
    heap, fired = TimerHeap(), []

    def first() -> None:
        for timer in doomed:
            heap.cancel(timer)

    heap.arm(1, first)
    doomed = [heap.arm(1, partial(fired.append, "doomed")) for _ in range(500)]
    heap.arm(1, partial(fired.append, "last"))
    heap.fire(1)
    assert fired == ["last"]


def test_a_machine_keeps_no_trace_of_the_timers_it_has_let_go(run: Run) -> None:
    async def main() -> None:
        timers: Any = asyncipc.current_simulation().timers
        r, w = posix.pipe()
        for _ in range(1000):
            posix.alarm(3600)
            await posix.write(w, b"x")
            assert await posix.poll([(r, IN)], 3600) == [(r, IN)]
            await posix.read(r, 1)
        posix.alarm(0)
        assert len(timers._heap) < 200

    run(main)


def test_a_poll_times_out_exactly_then(run: Run) -> None:
    async def main() -> None:
        r, _ = posix.pipe()
        assert await posix.poll([(r, IN)], 0.25) == []
        assert anyio.current_time() == 0.25
        assert await posix.poll([], 0.5) == []
        assert anyio.current_time() == 0.75
        assert await posix.poll([(r, IN)], 0) == []
        assert anyio.current_time() == 0.75

    run(main)


def test_a_poll_that_is_ready_in_time_ends_then(run: Run) -> None:
    async def child(w: int) -> None:
        await anyio.sleep(0.25)
        await posix.write(w, b"x")

    async def main() -> None:
        r, w = posix.pipe()
        posix.fork(child, w)
        assert await posix.poll([(r, IN)], 10) == [(r, IN)]
        assert anyio.current_time() == 0.25
        await anyio.sleep(100)  # past the timer that was let go

    run(main)


def test_what_is_on_its_way_arrives_before_time_moves(run: Run) -> None:
    async def child(r: int, w: int) -> None:
        while data := await posix.read(r, 10):
            await posix.write(w, data)

    async def main() -> None:
        r1, w1 = posix.pipe()
        r2, w2 = posix.pipe()
        posix.fork(child, r1, w2)
        with anyio.fail_after(0.001):
            for _ in range(1000):
                await posix.write(w1, b"ping")
                assert await posix.read(r2, 10) == b"ping"
        assert anyio.current_time() == 0
        asyncipc.posix._exit(0)

    with pytest.raises(asyncipc.Deadlock):  # the child's own copy of w1 keeps it waiting
        run(main)


def test_real_threads_hold_virtual_time(run: Run) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 1000)
            await anyio.to_thread.run_sync(time.sleep, 0.01)
            assert anyio.current_time() == 0
            group.cancel_scope.cancel()

    run(main)


def test_real_threads_through_a_limiter_of_ones_own_hold_virtual_time_on_trio() -> None:
    async def main() -> None:
        limiter = trio.CapacityLimiter(1)
        await trio.to_thread.run_sync(time.sleep, 0.01, limiter=limiter)
        assert trio.current_time() == 0

    asyncipc.run(main)


def test_asyncio_to_thread_holds_virtual_time() -> None:
    async def main() -> None:
        sleeper = asyncio.ensure_future(asyncio.sleep(1000))
        await asyncio.to_thread(time.sleep, 0.01)
        assert asyncio.get_running_loop().time() == 0
        sleeper.cancel()

    asyncipc.run(main, backend="asyncio")


def test_wait_all_tasks_blocked_returns_before_time_moves() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 10)
            await trio.testing.wait_all_tasks_blocked()
            assert trio.current_time() == 0

    asyncipc.run(main)


# -- the verdicts


async def waits_for_itself() -> None:
    r, _ = posix.pipe()
    await posix.read(r, 100)


def test_a_reader_that_holds_the_write_end_is_a_deadlock_with_a_hint(run: Run) -> None:
    with pytest.raises(asyncipc.Deadlock) as caught:
        run(waits_for_itself)
    report = caught.value.report
    assert isinstance(report, asyncipc.BlockedReport)
    (task,) = report.tasks
    assert (task.pid, task.program, task.call) == (2, "waits_for_itself", "read(3, 100)")
    assert task.waits_for.startswith("data in pipe:[")
    assert task.wakers == ((2, 4),)
    assert "test_time.py" in task.where
    assert "in waits_for_itself" in task.where
    text = str(caught.value)
    assert "nobody can run at t=0.000s" in text
    assert "close(4) first" in text


def test_a_deadlock_names_every_process_its_call_and_who_could_wake_it(run: Run) -> None:
    async def child(mine: int, other: int) -> None:
        posix.close(other)
        await posix.recv(mine, 7)

    async def main() -> None:
        a, b = posix.socketpair()
        pid = posix.fork(child, b, a)
        posix.close(b)
        await anyio.sleep(2)
        async with anyio.create_task_group() as group:
            group.start_soon(posix.recv, a, 5)
            await posix.waitpid(pid)

    with pytest.raises(asyncipc.Deadlock) as caught:
        run(main)
    report = caught.value.report
    assert isinstance(report, asyncipc.BlockedReport)
    assert report.t_ns == 2_000_000_000
    found = {(task.pid, task.call): task for task in report.tasks}
    assert found[3, "recv(4, 7, 0)"].wakers == ((2, 3),)
    assert found[2, "recv(3, 5, 0)"].wakers == ((3, 4),)
    waiting = found[2, "waitpid(3, 0)"]
    assert (waiting.waits_for, waiting.wakers) == ("a child", ((3, -1),))


def test_a_deadlock_names_foreign_awaits(run: Run) -> None:
    async def child() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(waits_for_itself)

    async def main() -> None:
        posix.fork(child)
        await anyio.Event().wait()

    with pytest.raises(asyncipc.Deadlock) as caught:
        run(main)
    text = str(caught.value)
    assert "await " in text
    assert "somebody outside the kernel" in text
    assert "test_time.py" in text
    assert "in main" in text
    assert "in child" in text


def test_two_who_write_before_they_read_are_a_cycle(run: Run) -> None:
    async def writes(mine: int, other: int) -> None:
        posix.close(other)
        await posix.send(mine, bytes(1_000_000))

    async def main() -> None:
        a, b = posix.socketpair()
        posix.fork(writes, b, a)
        await writes(a, b)

    with pytest.raises(asyncipc.Deadlock, match=r"cycle: pid . -> pid . -> pid ") as caught:
        run(main)
    assert "sends before it reads" in str(caught.value)


def test_a_stopped_process_that_nobody_continues_is_a_deadlock(run: Run) -> None:
    async def child() -> None:
        posix.kill(posix.getpid(), SIGSTOP)
        await posix.poll([], 0)

    async def main() -> None:
        await posix.waitpid(posix.fork(child))

    with pytest.raises(asyncipc.Deadlock, match="SIGCONT"):
        run(main)


def test_a_deadlock_ends_every_process(run: Run) -> None:
    ended: list[int] = []

    async def child() -> None:
        try:
            await waits_for_itself()
        finally:
            ended.append(posix.getpid())

    async def main() -> None:
        for _ in range(3):
            posix.fork(child)

    with pytest.raises(asyncipc.Deadlock):
        run(main)
    assert sorted(ended) == [3, 4, 5]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_task_that_shields_itself_from_the_end_does_not_hang_the_run(backend: str) -> None:
    """The loop has to be brought down, and what was in it is left to the collector."""

    async def main() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.Event().wait()

    with pytest.raises(asyncipc.Deadlock, match="swallows its cancellation"):
        asyncipc.run(main, backend=backend, wall_limit_s=5)  # type: ignore[arg-type]
    gc.collect()


def test_a_loop_that_only_yields_meets_the_step_limit(run: Run) -> None:
    async def main() -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    with pytest.raises(asyncipc.TimeFrozen, match="step_limit"):
        run(main, step_limit=1000)


def test_a_loop_without_await_meets_the_wall_limit(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        while True:
            pass

    with pytest.raises(asyncipc.TimeFrozen):
        run(main, wall_limit_s=0.1)
    assert "wall_limit_s" in capsys.readouterr().err


def test_a_wall_limit_that_is_no_time_is_refused(run: Run) -> None:
    with pytest.raises(ValueError, match="wall_limit_s is a time in seconds"):
        run(anyio.sleep, 0, wall_limit_s=0)


# -- quantum


def test_strict_calls_yield_each_time() -> None:
    async def main() -> None:
        r, w = posix.pipe()
        a, b = posix.socketpair()
        for call in (
            lambda: posix.write(w, b"x"),
            lambda: posix.read(r, 1),
            lambda: posix.send(a, b"x"),
            lambda: posix.recv(b, 1),
            lambda: posix.poll([(r, IN)], 0),
            lambda: posix.waitpid(posix.fork(trio.sleep, 0)),
        ):
            with trio.testing.assert_checkpoints():
                await call()
        posix.set_blocking(r, False)
        with trio.testing.assert_checkpoints(), pytest.raises(BlockingIOError):
            await posix.read(r, 1)
        receiver, sender = asyncipc.create_pipe()
        with trio.testing.assert_checkpoints():
            await sender.send(b"x")
        with trio.testing.assert_checkpoints():
            await receiver.receive()
        with trio.testing.assert_checkpoints():
            await receiver.aclose()
        await sender.aclose()

    asyncipc.run(main, quantum=1)


@pytest.mark.parametrize("quantum", [1, 2, 32])
def test_others_have_their_turn_after_at_most_a_quantum_of_calls(run: Run, quantum: int) -> None:
    turns: list[int] = []
    calls = 0

    async def other() -> None:
        while calls < 10 * quantum:
            turns.append(calls)
            await anyio.lowlevel.checkpoint()

    async def main() -> None:
        nonlocal calls
        posix.fork(other)
        _, w = posix.pipe()
        for _ in range(10 * quantum):
            await posix.write(w, b"x")
            calls += 1

    run(main, quantum=quantum)
    gaps = [after - before for before, after in zip(turns, turns[1:], strict=False)]
    # Two tasks that are both runnable may stand in either order in two passes of trio.
    assert max(gaps) <= 2 * quantum
    assert turns[0] <= 4 * quantum

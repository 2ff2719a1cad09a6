"""select(2): three sets, their meanings, and the ends of a wait."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from asyncipc import posix
from asyncipc.events import Event, SystemCall
from asyncipc.kernel.signals.disposition import SIGTERM
from asyncipc.runtime.process import current
from tests.pace import have_passed

Run = Callable[..., Any]


def test_a_wait_ends_with_what_became_ready_in_the_order_asked(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        r2, w2 = posix.pipe()

        async def later() -> None:
            await anyio.sleep(1)
            await posix.write(w, b"x")
            await posix.write(w2, b"x")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(later)
            ready, writable, exceptional = await posix.select([r2, r], [], [r, w])
        assert ready in ([r], [r2, r])
        assert (writable, exceptional) == ([], [])
        assert await posix.select([r2, r], [w], []) == ([r2, r], [w], [])

    run(main)


def test_its_time_over_gives_three_empty_lists(run: Run) -> None:
    async def main() -> None:
        r, _ = posix.pipe()
        start = anyio.current_time()
        assert await posix.select([r], [], [r], 2.5) == ([], [], [])
        assert have_passed(start, 2.5)
        assert await posix.select([r], [], [], 0) == ([], [], [])
        assert await posix.select([], [], [], 1) == ([], [], [])
        assert have_passed(start, 3.5)

    run(main)


def test_a_wait_for_room_is_not_ended_by_a_hang_up(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        start = anyio.current_time()

        async def hang_up() -> None:
            await anyio.sleep(1)
            posix.close(w)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hang_up)
            assert await posix.select([], [r], [r], 3) == ([], [], [])
        assert have_passed(start, 3)
        assert await posix.select([r], [], []) == ([r], [], [])

    run(main)


def test_a_descriptor_that_is_closed_meanwhile_wakes_nobody_and_then_counts_as_ready(
    run: Run,
) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        kept = posix.dup(r)
        start = anyio.current_time()

        async def close_then_write() -> None:
            await anyio.sleep(1)
            posix.close(r)
            await anyio.sleep(1)
            await posix.write(w, b"x")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close_then_write)
            assert await posix.select([r], [], []) == ([r], [], [])
        assert have_passed(start, 2)
        assert await posix.read(kept, 1) == b"x"

    run(main)


@pytest.mark.parametrize("timeout_s", [None, 0, 1])
def test_one_that_is_not_open_fails_the_call_at_once(run: Run, timeout_s: float | None) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        await posix.write(w, b"x")
        for sets in (([r, 9], [], []), ([r], [9], []), ([r], [w], [9])):
            with pytest.raises(OSError, match="Bad file descriptor") as caught:
                await posix.select(*sets, timeout_s)
            assert caught.value.errno == errno.EBADF

    run(main)


def test_what_fits_no_fd_set_is_a_value_error_and_no_call(run: Run) -> None:
    calls: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, SystemCall):
            calls.append(event.call)

    async def main() -> None:
        for fd in (-1, 1024):
            with pytest.raises(ValueError, match="descriptor"):
                await posix.select([], [fd], [])
        for timeout_s in (-1, float("nan")):
            with pytest.raises(ValueError, match="timeout_s"):
                await posix.select([], [], [], timeout_s)
        with pytest.raises(TypeError):
            await posix.select(["0"], [], [])  # type: ignore[list-item]

    run(main, observers=[listen])
    assert calls == []


@pytest.mark.parametrize("timeout_s", [None, 0, 5])
def test_the_tap_is_told_the_three_sets_and_the_answer(run: Run, timeout_s: float | None) -> None:
    told: list[tuple[object, object]] = []

    def listen(event: Event) -> None:
        if isinstance(event, SystemCall) and event.call == "select":
            told.append((event.args, event.result))

    async def main() -> None:
        _, w = posix.pipe()
        await posix.select([], [w], [w], timeout_s)

    run(main, observers=[listen])
    assert told == [(((), (4,), (4,)), ((), (4,), ()))]


def test_a_handled_signal_ends_it_even_if_other_calls_would_restart(run: Run) -> None:
    async def child() -> None:
        posix.signal(SIGTERM, lambda sig, info: None, posix.SA_RESTART)
        r, _ = posix.pipe()
        with pytest.raises(InterruptedError):
            await posix.select([r], [], [])

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGTERM)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_all_who_wait_for_one_object_wake(run: Run) -> None:
    awake: list[int] = []

    async def main() -> None:
        r, w = posix.pipe()

        async def wait(number: int) -> None:
            await posix.select([r], [], [])
            awake.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(wait, number)
            await anyio.sleep(1)
            await posix.write(w, b"x")
        assert sorted(awake) == [0, 1, 2]
        assert not current().sleepers

    run(main)


def test_a_listener_that_is_closed_while_somebody_polls_it_goes_on_accepting(run: Run) -> None:
    """As on Linux: a call that sleeps holds its files."""

    async def main() -> None:
        listener = posix.socket()
        posix.bind(listener, ("127.0.0.1", 7))
        posix.listen(listener)
        async with anyio.create_task_group() as group:
            group.start_soon(posix.poll, [(listener, 1)])
            await anyio.sleep(1)
            posix.close(listener)
            client = posix.socket()
            await posix.connect(client, ("127.0.0.1", 7))
            group.cancel_scope.cancel()
        with pytest.raises(ConnectionResetError):
            await posix.recv(client, 1)
        other = posix.socket()
        with pytest.raises(ConnectionRefusedError):
            await posix.connect(other, ("127.0.0.1", 7))

    run(main)

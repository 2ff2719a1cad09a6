"""``async with Simulation()`` in somebody else's run: their clock, their exceptions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import trio
import trio.testing

import asyncipc
from asyncipc import Simulation, posix
from asyncipc.kernel.readiness import IN
from asyncipc.kernel.signals.disposition import SIGKILL
from tests.conftest import Leftovers

Start = Callable[[Callable[[], Awaitable[Any]]], Any]


@pytest.fixture
def start(backend: str, leftovers: Leftovers) -> Start:
    """Run a plain program on the real clock of an event loop; nothing may be left."""

    def start_it(main: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return anyio.run(main, backend=backend)
        finally:
            leftovers.check()

    return start_it


def test_the_block_is_the_first_process_of_the_machine(start: Start) -> None:
    async def child(w: int) -> None:
        await posix.write(w, b"%d of %d" % (posix.getpid(), posix.getppid()))

    async def main() -> bytes:
        async with Simulation():
            r, w = posix.pipe()
            posix.fork(child, w)
            posix.close(w)
            return await posix.read(r, 100)

    assert start(main) == b"3 of 2"


def test_after_the_block_no_process_is_current(start: Start) -> None:
    async def main() -> None:
        async with Simulation():
            posix.pipe()
        with pytest.raises(RuntimeError, match="not in a simulated process"):
            posix.pipe()

    start(main)


def test_the_block_waits_for_its_children(start: Start) -> None:
    ended = []

    async def child() -> None:
        await anyio.lowlevel.checkpoint()
        ended.append(1)

    async def main() -> None:
        async with Simulation():
            posix.fork(child)
        assert ended == [1]

    start(main)


def test_an_exception_leaves_the_block_as_it_is_and_ends_the_children(start: Start) -> None:
    async def main() -> None:
        error = KeyError("mine")
        with pytest.raises(KeyError) as caught:
            async with Simulation():
                r, _ = posix.pipe()
                posix.fork(posix.read, r, 1)
                await anyio.lowlevel.checkpoint()
                raise error
        assert caught.value is error

    start(main)


def test_a_childs_failure_that_nobody_waited_for_is_raised_at_the_end(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    async def child() -> None:
        raise LookupError

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with Simulation():
                posix.fork(child)
        assert [type(error) for error in caught.value.exceptions] == [LookupError]

    start(main)
    assert "LookupError" in capsys.readouterr().err


def test_a_block_whose_process_is_killed_ends_there(start: Start) -> None:
    async def child() -> None:
        posix.kill(posix.getppid(), SIGKILL)

    async def main() -> None:
        async with Simulation():
            r, _ = posix.pipe()
            posix.fork(child)
            await posix.read(r, 1)
            raise AssertionError("it was killed")

    start(main)


def test_a_block_that_exits_ends_there(start: Start) -> None:
    async def main() -> None:
        async with Simulation():
            posix.pipe()
            posix._exit(3)

    start(main)


def test_a_cancelled_block_passes_the_cancellation_on(start: Start) -> None:
    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with Simulation():
                r, _ = posix.pipe()
                scope.cancel()
                await posix.read(r, 1)
        assert scope.cancelled_caught

    start(main)


def test_asyncio_cancels_a_task_with_a_block(leftovers: Leftovers) -> None:
    async def embeds() -> None:
        async with Simulation():
            r, _ = posix.pipe()
            posix.fork(posix.read, r, 1)
            await posix.read(r, 1)

    async def main() -> None:
        task = asyncio.ensure_future(embeds())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_who_waits_is_reported_on_request(start: Start) -> None:
    async def child(r: int) -> None:
        await posix.read(r, 1)

    async def main() -> None:
        async with Simulation() as sim:
            r, w = posix.pipe()
            posix.fork(child, r)
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            report = sim.blocked_report()
            assert [(task.pid, task.call) for task in report.tasks] == [(3, f"read({r}, 1)")]
            assert (2, w) in report.tasks[0].wakers
            await posix.write(w, b"x")

    start(main)


def test_a_timeout_is_on_the_clock_of_the_run() -> None:
    async def main() -> None:
        async with Simulation():
            start = trio.current_time()
            r, _ = posix.pipe()
            assert await posix.poll([(r, IN)], 2.5) == []
            assert trio.current_time() == start + 2.5

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.trio
async def test_it_works_under_pytest_trio(autojump_clock: trio.testing.MockClock) -> None:
    async with Simulation():
        receiver, sender = asyncipc.create_pipe()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.send, b"hello")
            assert await receiver.receive() == b"hello"
        await sender.aclose()
        await receiver.aclose()


def test_two_simulations_one_after_the_other_share_nothing(start: Start) -> None:
    async def main() -> list[int]:
        pids = []
        for _ in range(2):
            async with Simulation():
                pids.append(posix.fork(anyio.sleep, 0))
                assert posix.pipe() == (3, 4)
        return pids

    assert start(main) == [3, 3]


def test_a_machine_that_cannot_begin_leaves_nothing_entered(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise LookupError("no service")

    monkeypatch.setattr("asyncipc.runtime.life.Life.services", refuse)

    async def main() -> str:
        with anyio.move_on_after(5) as scope:
            with pytest.raises(LookupError, match="no service"):
                async with Simulation():
                    raise AssertionError
            await anyio.lowlevel.checkpoint()  # in the caller's own scope again
            return "went on"
        raise AssertionError(scope.cancelled_caught)

    assert start(main) == "went on"

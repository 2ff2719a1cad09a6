"""Ends that are hard: swallowed, shielded, stopped, closed meanwhile, or embedded."""

from __future__ import annotations

import errno
import gc
import signal
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.readiness import IN, NVAL, OUT
from asyncipc.runtime.process import current
from tests.pace import have_passed

Run = Callable[..., Any]

brought_down = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@brought_down
def test_a_spin_under_a_shield_does_not_outlive_the_verdict(backend: str) -> None:
    async def main() -> None:
        with anyio.CancelScope(shield=True):
            while True:
                await anyio.lowlevel.checkpoint()

    with pytest.raises(asyncipc.Deadlock, match="swallows its cancellation in await checkpoint"):
        asyncipc.run(main, backend=backend, step_limit=1000)  # type: ignore[arg-type]
    gc.collect()


@brought_down
def test_a_task_that_catches_every_cancellation_is_named_and_ends_the_run(
    backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def immortal() -> None:
        while True:
            try:
                await anyio.sleep(1)
            except anyio.get_cancelled_exc_class():
                pass

    async def main() -> None:
        pid = posix.fork(immortal)
        await anyio.sleep(5)
        posix.kill(pid, signal.SIGKILL)
        await posix.waitpid(pid)

    with pytest.raises(asyncipc.Deadlock, match="swallows its cancellation"):
        asyncipc.run(main, backend=backend)  # type: ignore[arg-type]
    assert "pid 3 (immortal) is over, but its task still runs" in capsys.readouterr().err
    gc.collect()


def test_a_left_over_task_of_the_loop_may_sleep_while_the_run_closes_down() -> None:
    import asyncio

    closed: list[float] = []

    async def lingers() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.1)
            closed.append(asyncio.get_running_loop().time())

    async def main() -> None:
        main.task = asyncio.create_task(lingers())  # type: ignore[attr-defined]
        await asyncio.sleep(1)

    asyncipc.run(main, backend="asyncio")
    assert closed == [1.1]


def test_a_write_that_got_room_as_it_stopped_is_not_taken_back_by_a_cancellation(run: Run) -> None:
    async def writer(w: int, counts: list[int]) -> None:
        with anyio.move_on_after(10):
            counts.append(await posix.write(w, bytes(4096)))
        counts.append(-1)

    async def main() -> list[int]:
        counts: list[int] = []
        r, w = posix.pipe()
        await posix.write(w, bytes(65536))
        pid = posix.fork(writer, w, counts)
        await anyio.sleep(1)
        assert len(await posix.read(r, 4096)) == 4096
        posix.kill(pid, signal.SIGSTOP)
        await anyio.sleep(20)
        unread = posix.ioctl(r, posix.FIONREAD)
        posix.kill(pid, signal.SIGCONT)
        await posix.waitpid(pid)
        assert (unread == 65536) == (counts[0] == 4096)
        return counts

    assert run(main)[-1] == -1


def test_a_descriptor_closed_during_poll_is_held_and_then_reported_as_not_open(run: Run) -> None:
    async def main() -> list[tuple[int, int]]:
        r, w = posix.pipe()
        told: list[tuple[int, int]] = []

        async def polls() -> None:
            told.extend(await posix.poll([(r, IN)]))

        async with anyio.create_task_group() as group:
            group.start_soon(polls)
            await anyio.sleep(1)
            posix.close(r)
            await anyio.sleep(1)
            assert not told
            assert await posix.write(w, b"x") == 1
        with pytest.raises(BrokenPipeError):
            await posix.write(w, b"x")
        assert told == [(r, NVAL)]
        return told

    run(main)


def test_poll_with_a_negative_timeout_waits_for_ever(run: Run) -> None:
    async def later(w: int) -> None:
        await anyio.sleep(20)
        await posix.write(w, b"x")

    async def main() -> None:
        start = anyio.current_time()
        r, w = posix.pipe()
        posix.fork(later, w)
        assert await posix.poll([(r, IN)], -1) == [(r, IN)]
        assert have_passed(start, 20)

    run(main)


def test_the_block_of_an_embedded_simulation_refuses_to_become_another_program() -> None:
    async def main() -> None:
        async with asyncipc.Simulation():
            with pytest.raises(asyncipc.Unsupported, match="block"):
                posix.execv(anyio.sleep, 1)

    anyio.run(main)


@pytest.mark.parametrize("loop", ["trio", "asyncio"])
def test_an_exit_from_a_task_group_inside_the_block_ends_the_block(loop: str) -> None:
    async def exits() -> None:
        posix._exit(3)

    async def main() -> str:
        async with asyncipc.Simulation(), anyio.create_task_group() as group:
            group.start_soon(exits)
            await anyio.sleep_forever()
        return "after the block"

    assert anyio.run(main, backend=loop) == "after the block"


def test_a_simulation_runs_once_and_spawns_only_while_it_runs() -> None:
    async def main() -> None:
        simulation = asyncipc.Simulation()
        with pytest.raises(RuntimeError, match="not running"):
            simulation.spawn(anyio.sleep, 1)
        async with simulation:
            pass
        with pytest.raises(RuntimeError, match="runs once"):
            await simulation.__aenter__()

    anyio.run(main)


@pytest.mark.parametrize("descriptor", ["open", "closed"])
def test_a_loop_of_calls_that_fail_lets_others_run(run: Run, descriptor: str) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        if descriptor == "open":
            posix.close(r)
        else:
            posix.close(w)
        over: list[bool] = []

        async def ends() -> None:
            over.append(True)

        async with anyio.create_task_group() as group:
            group.start_soon(ends)
            for _ in range(100):
                with pytest.raises(OSError) as caught:
                    await posix.write(w, b"x")
                assert caught.value.errno == (errno.EPIPE if descriptor == "open" else errno.EBADF)
            assert over

    run(main)


def test_a_program_that_ignores_its_errors_still_ends_when_it_is_killed(run: Run) -> None:
    async def stubborn(r: int) -> None:
        while True:
            try:
                await posix.read(r, 1)
            except (OSError, anyio.get_cancelled_exc_class()):
                continue

    async def main() -> None:
        r, _ = posix.pipe()
        pid = posix.fork(stubborn, r)
        await anyio.sleep(1)
        posix.kill(pid, signal.SIGKILL)
        assert await posix.waitpid(pid) == (pid, signal.SIGKILL)

    run(main)


def test_exec_ends_a_thread_that_reads_under_a_shield(run: Run) -> None:
    async def successor() -> None:
        posix._exit(7)

    async def program() -> None:
        r, _ = posix.pipe2(0)

        async def thread() -> None:
            with anyio.CancelScope(shield=True):
                await posix.read(r, 1)

        async with anyio.create_task_group() as group:
            group.start_soon(thread)
            await anyio.sleep(1)
            posix.execv(successor)

    async def main() -> None:
        pid = posix.fork(program)
        assert await posix.waitpid(pid) == (pid, 7 << 8)

    run(main)


def test_a_dropped_channel_is_closed_also_where_its_warning_is_an_error(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        channels = [sender]
        del sender
        with pytest.warns(ResourceWarning, match=r"unclosed <PipeSendChannel .*test_endings"):
            channels.clear()
        with pytest.raises(anyio.EndOfStream):
            await receiver.receive()
        receiver.close()

    run(main)


def test_a_system_exit_of_the_first_process_leaves_run_as_it_is(run: Run) -> None:
    async def main() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 3


def test_a_child_makes_channels_of_the_descriptors_it_inherited(run: Run) -> None:
    async def child(fd: int) -> None:
        async with asyncipc.open_channel(fd) as sender:
            assert isinstance(sender, asyncipc.PipeSendChannel)
            await sender.send(b"from the child")

    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        posix.fork(child, sender.fd)
        sender.close()
        assert await receiver.receive() == b"from the child"
        with pytest.raises(anyio.EndOfStream):
            await receiver.receive()
        receiver.close()
        with pytest.raises(TypeError, match="console"):
            asyncipc.open_channel(1)
        with pytest.raises(OSError, match="Bad file descriptor"):
            asyncipc.open_channel(99)
        assert await posix.poll([(1, OUT)], 0) == [(1, OUT)]
        assert len(current().process.table) == 3

    run(main)


@pytest.mark.simulated("virtual time")
def test_a_killed_process_that_cleans_up_slowly_does_not_shorten_the_patience_with_others(
    run: Run,
) -> None:
    async def cleans_up() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(30)

    async def main() -> float:
        pid = posix.fork(cleans_up)
        await anyio.sleep(1)
        posix.kill(pid, signal.SIGKILL)
        for _ in range(25_000):
            await anyio.lowlevel.checkpoint()
        await posix.waitpid(pid)
        return anyio.current_time()

    assert run(main) == 1


def test_who_subscribes_inside_the_block_hears_the_block_itself() -> None:
    heard: list[str] = []

    async def main() -> None:
        async with asyncipc.Simulation() as simulation:
            simulation.subscribe(lambda event: heard.append(type(event).__name__))
            r, w = posix.pipe()
            await posix.write(w, b"x")
            assert await posix.read(r, 1) == b"x"

    anyio.run(main)
    assert heard[:4] == ["SystemCall", "Wire", "SystemCall", "SystemCall"]


def test_the_report_on_request_names_the_tasks_of_the_block_too() -> None:
    async def main() -> str:
        async with asyncipc.Simulation() as simulation:
            r, _ = posix.pipe()
            async with anyio.create_task_group() as group:
                group.start_soon(posix.read, r, 1)
                await anyio.wait_all_tasks_blocked()
                report = str(simulation.blocked_report())
                group.cancel_scope.cancel()
            return report

    assert "read(3, 1)" in anyio.run(main, backend="trio")

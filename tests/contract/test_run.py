"""The contract of ``asyncipc.run``: values, exceptions, statuses, refusals."""

from __future__ import annotations

import asyncio
import signal as real_signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trio

import asyncipc
from asyncipc import posix
from asyncipc.runtime.process import current
from tests.pace import moment, now

Run = Callable[..., Any]


def test_run_returns_the_value_of_main(run: Run) -> None:
    async def main(a: int, b: int) -> int:
        await posix.poll([], 0)
        return a + b

    assert run(main, 20, 22) == 42


def test_main_is_pid_2_and_a_child_of_init(run: Run) -> None:
    async def main() -> tuple[int, int]:
        return posix.getpid(), posix.getppid()

    assert run(main) == (2, 1)


def test_run_raises_the_exception_of_main_itself(run: Run) -> None:
    error = KeyError("mine")

    async def main() -> None:
        await anyio.sleep(1)
        raise error

    with pytest.raises(KeyError) as caught:
        run(main)
    assert caught.value is error


def test_an_exception_of_main_ends_its_children(run: Run) -> None:
    ended = []

    async def child() -> None:
        try:
            await anyio.sleep(1000)
        finally:
            ended.append(now())

    async def main() -> None:
        posix.fork(child)
        await anyio.sleep(1)
        raise ValueError

    with pytest.raises(ValueError):
        run(main)
    assert ended == [moment(1)]


def test_run_waits_for_every_process(run: Run) -> None:
    ended = []

    async def child(seconds: int) -> None:
        await anyio.sleep(seconds)
        ended.append(seconds)

    async def main() -> str:
        for seconds in (3, 1, 2):
            posix.fork(child, seconds)
        return "first of all"

    assert run(main) == "first of all"
    assert ended == [1, 2, 3]


def test_a_childs_failure_is_printed_and_raised_when_nobody_waited(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    async def child() -> None:
        raise LookupError("the child's own")

    async def main() -> None:
        posix.fork(child)
        await anyio.sleep(1)

    with pytest.raises(ExceptionGroup) as caught:
        run(main)
    assert [type(error) for error in caught.value.exceptions] == [LookupError]
    told = capsys.readouterr().err
    assert "pid 3 (child) failed with status 1" in told
    assert "LookupError: the child's own" in told


def test_a_childs_failure_is_printed_and_is_status_1_for_who_waits(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    async def child() -> None:
        raise LookupError

    async def main() -> tuple[int, int]:
        return await posix.waitpid(posix.fork(child))

    assert run(main) == (3, 1 << 8)
    assert "LookupError" in capsys.readouterr().err


def test_a_failure_in_a_task_of_a_child_is_the_childs(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails() -> None:
        raise LookupError

    async def child() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(fails)
            group.start_soon(anyio.sleep, 1000)

    async def main() -> tuple[int, int]:
        return await posix.waitpid(posix.fork(child))

    assert run(main) == (3, 1 << 8)
    assert "LookupError" in capsys.readouterr().err


def test_a_child_that_raises_system_exit_has_its_code_as_status(run: Run) -> None:
    async def child(code: Any) -> None:
        await anyio.sleep(1)
        sys.exit(code)

    async def main() -> list[int]:
        return [(await posix.waitpid(posix.fork(child, code)))[1] for code in (None, 0, 7, 300)]

    assert run(main) == [0, 0, 7 << 8, 44 << 8]


def test_a_child_that_exits_with_a_text_prints_it_and_has_status_1(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    async def child() -> None:
        sys.exit("no more")

    async def main() -> int:
        return (await posix.waitpid(posix.fork(child)))[1]

    assert run(main) == 1 << 8
    assert capsys.readouterr().err == "no more\n"


@pytest.mark.parametrize("where", ["main", "child"])
def test_keyboard_interrupt_ends_the_run_and_closes_everything(run: Run, where: str) -> None:
    async def sleeper(r: int) -> None:
        await posix.read(r, 1)

    async def interrupted() -> None:
        await anyio.sleep(1)
        raise KeyboardInterrupt

    async def main() -> None:
        r, _ = posix.pipe()
        posix.fork(sleeper, r)
        if where == "main":
            await interrupted()
        posix.fork(interrupted)
        await posix.read(r, 1)

    with pytest.raises(KeyboardInterrupt):
        run(main)


def test_a_real_sigint_is_a_keyboard_interrupt(run: Run) -> None:
    async def main() -> None:
        r, _ = posix.pipe()
        posix.fork(posix.read, r, 1)
        await anyio.sleep(1)
        real_signal.raise_signal(real_signal.SIGINT)
        await posix.read(r, 1)

    with pytest.raises(KeyboardInterrupt):
        run(main)


def test_a_cancelled_future_of_asyncio_is_not_taken_for_an_end_in_silence() -> None:
    async def main() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(asyncio.CancelledError):
        asyncipc.run(main, backend="asyncio")


def test_a_child_that_met_a_cancelled_future_of_asyncio_has_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def child() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async def main() -> int:
        posix.fork(child)
        return (await posix.wait())[1]

    assert asyncipc.run(main, backend="asyncio") == 1 << 8
    assert "CancelledError" in capsys.readouterr().err


def test_calls_outside_a_simulation_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"not in a simulated process.*asyncipc\.run"):
        posix.pipe()
    with pytest.raises(RuntimeError, match="not in a simulated process"):
        asyncipc.create_pipe()
    with pytest.raises(RuntimeError, match="not in a simulated process"):
        trio.run(posix.read, 0, 1)


def test_calls_from_a_foreign_thread_are_refused(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()

        def in_a_thread() -> None:
            with pytest.raises(RuntimeError, match="foreign thread"):
                posix.close(r)
            with pytest.raises(RuntimeError, match="foreign thread"):
                posix.write(w, b"x").send(None)  # type: ignore[attr-defined]

        await anyio.to_thread.run_sync(in_a_thread)
        posix.set_blocking(r, False)
        with pytest.raises(BlockingIOError):
            await posix.read(r, 1)

    run(main)


def test_a_channel_is_refused_in_an_event_loop_of_a_foreign_thread(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()

        def in_a_thread() -> None:
            with pytest.raises(RuntimeError, match="foreign thread"):
                trio.run(sender.send, b"x")
            with pytest.raises(RuntimeError, match="foreign thread"):
                trio.run(receiver.receive)

        await anyio.to_thread.run_sync(in_a_thread)
        receiver.close()
        sender.close()

    run(main)


@pytest.mark.parametrize("quantum", [0, -1])
def test_a_quantum_below_1_is_refused(run: Run, quantum: int) -> None:
    async def main() -> None:
        raise AssertionError("it was not to start")

    with pytest.raises(ValueError, match="quantum counts calls: at least 1"):
        run(main, quantum=quantum)


def test_an_unknown_event_loop_is_refused() -> None:
    with pytest.raises(ValueError, match="backend is 'trio' or 'asyncio'"):
        asyncipc.run(anyio.sleep, 0, backend="curio")  # type: ignore[arg-type]


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(ValueError, match="machine is 'simulated', 'native' or a Native"):
        asyncipc.run(posix.wait, machine="virtual")  # type: ignore[call-overload]


def test_the_console_gets_what_is_written_to_1_and_2(run: Run) -> None:
    shown: list[bytes] = []

    async def main() -> None:
        await posix.write(1, b"out")
        await posix.write(2, b"err")
        assert await posix.read(0, 10) == b""

    run(main, console=shown.append)
    assert shown == [b"out", b"err"]


def test_an_unclosed_channel_warns_with_its_birthplace(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        receiver.close()
        with pytest.warns(ResourceWarning, match=r"unclosed <PipeSendChannel.*test_run\.py"):
            del sender

    run(main)


def test_the_end_of_a_process_closes_its_channels_without_a_warning(run: Run) -> None:
    async def main() -> None:
        channels = asyncipc.create_pipe()
        try:
            posix._exit(0)
        finally:
            assert [channel.fd for channel in channels] == [-1, -1]

    run(main)


def test_two_runs_in_two_threads_do_not_meet(backend: str) -> None:
    async def child(w: int) -> None:
        for number in range(20):
            await posix.write(w, bytes([number]))

    async def main() -> bytes:
        r, w = posix.pipe()
        posix.fork(child, w)
        posix.close(w)
        assert current().simulation.seed == 5
        parts = []
        while part := await posix.read(r, 3):
            parts.append(part)
        return b"".join(parts)

    def simulate() -> bytes:
        return asyncipc.run(main, seed=5, backend=backend)  # type: ignore[arg-type]

    async def both() -> list[bytes]:
        results: list[bytes] = []
        async with trio.open_nursery() as nursery:
            for _ in range(2):

                async def one() -> None:
                    results.append(await trio.to_thread.run_sync(simulate))

                nursery.start_soon(one)
        return results

    assert trio.run(both) == [bytes(range(20))] * 2


def test_importing_asyncipc_loads_neither_pytest_nor_typer_nor_rich() -> None:
    program = (
        "import sys, asyncipc\n"
        "print(sorted({'pytest', 'typer', 'rich', 'hypothesis'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"

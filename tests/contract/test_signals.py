"""Handlers as a program sees them: when they run, in whom, in which order, on both loops."""

from __future__ import annotations

import errno
from collections.abc import Callable
from signal import SIGCHLD, SIGIO, SIGPIPE, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.signals.disposition import SIGKILL, SIGRTMIN
from tests.kernel.helpers import failure

Run = Callable[..., Any]


def logged(log: list[int], signal: int, flags: int = 0, mask: tuple[int, ...] = ()) -> None:
    """Install a handler that writes down which signal it was."""
    posix.signal(signal, lambda number, _: log.append(number), flags, mask)


def test_a_signal_to_oneself_is_handled_before_kill_returns(run: Run) -> None:
    async def main() -> None:
        log: list[object] = []
        posix.signal(SIGUSR1, lambda number, info: log.append((number, info.si_pid)))
        posix.kill(posix.getpid(), SIGUSR1)
        assert log == [(SIGUSR1, posix.getpid())]
        posix.raise_signal(SIGUSR1)
        posix.killpg(0, SIGUSR1)
        assert len(log) == 3

    run(main)


def test_a_handler_runs_as_the_process_that_receives(run: Run) -> None:
    seen: list[int] = []

    async def child(r: int) -> None:
        posix.signal(SIGUSR1, lambda *_: seen.append(posix.getpid()))
        with pytest.raises(InterruptedError):
            await posix.read(r, 1)

    async def main() -> None:
        r, _ = posix.pipe()
        pid = posix.fork(child, r)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        assert seen == []  # not in the sender's task
        await posix.waitpid(pid)
        assert seen == [pid]

    run(main)


def test_in_a_foreign_await_a_handler_runs_at_the_next_call(run: Run) -> None:
    async def child() -> None:
        log: list[int] = []
        logged(log, SIGUSR1)
        await anyio.sleep(2)
        assert log == []
        await posix.poll([], 0)
        assert log == [SIGUSR1]

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


@pytest.mark.parametrize("masked", [False, True])
def test_without_a_mask_the_last_one_taken_runs_first(run: Run, masked: bool) -> None:
    async def main() -> None:
        log: list[int] = []
        signals = (SIGUSR1, SIGUSR2, SIGTERM)
        for number in signals:
            logged(log, number, 0, signals if masked else ())
        posix.pthread_sigmask(posix.SIG_BLOCK, signals)
        for number in signals:
            posix.kill(posix.getpid(), number)
        assert posix.sigpending() == set(signals)
        posix.pthread_sigmask(posix.SIG_SETMASK, ())
        ascending = sorted(map(int, signals))
        assert log == (ascending if masked else ascending[::-1])

    run(main)


def test_a_signal_is_blocked_while_its_handler_runs_unless_nodefer(run: Run) -> None:
    async def main() -> None:
        depth: list[int] = []

        def handler(number: int, _: object) -> None:
            depth.append(1)
            if len(depth) < 3:
                posix.raise_signal(number)
                depth.append(-1)

        posix.signal(SIGUSR1, handler)
        posix.raise_signal(SIGUSR1)
        assert depth == [1, -1, 1]
        depth.clear()
        posix.signal(SIGUSR1, handler, posix.SA_NODEFER)
        posix.raise_signal(SIGUSR1)
        assert depth[:2] == [1, 1]

    run(main)


def test_resethand_is_for_one_signal(run: Run) -> None:
    async def child() -> None:
        log: list[int] = []
        logged(log, SIGUSR1, posix.SA_RESETHAND)
        posix.raise_signal(SIGUSR1)
        assert (log, posix.getsignal(SIGUSR1)) == ([SIGUSR1], posix.SIG_DFL)
        posix.raise_signal(SIGUSR1)

    async def main() -> None:
        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, SIGUSR1)

    run(main)


def test_what_a_handler_raises_leaves_the_call_and_the_others_stay_due(run: Run) -> None:
    async def child(r: int) -> None:
        log: list[int] = []
        logged(log, SIGUSR1)

        def fails(*_: object) -> None:
            raise KeyError("from the handler")

        posix.signal(SIGUSR2, fails, posix.SA_RESTART)
        with pytest.raises(KeyError):
            await posix.read(r, 1)
        assert log == []
        await posix.poll([], 0)
        assert log == [SIGUSR1]
        assert posix.pthread_sigmask(posix.SIG_BLOCK, ()) == set()

    async def main() -> None:
        r, _ = posix.pipe()
        pid = posix.fork(child, r)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        posix.kill(pid, SIGUSR2)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_an_exit_in_a_handler_ends_the_process(run: Run) -> None:
    async def child() -> None:
        posix.signal(SIGTERM, lambda *_: posix._exit(5))
        await posix.pause()

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGTERM)
        assert await posix.waitpid(pid) == (pid, 5 << 8)

    run(main)


def test_fork_inherits_handlers_and_mask_and_exec_only_what_is_ignored(run: Run) -> None:
    told: list[object] = []

    async def program() -> None:
        told.append((posix.getsignal(SIGUSR1), posix.getsignal(SIGUSR2)))
        told.append(posix.pthread_sigmask(posix.SIG_BLOCK, ()))

    async def child() -> None:
        told.append(posix.getsignal(SIGUSR1) is handler)
        told.append(posix.sigpending())
        posix.execv(program)

    def handler(*_: object) -> None: ...

    async def main() -> None:
        posix.signal(SIGUSR1, handler)
        posix.signal(SIGUSR2, posix.SIG_IGN)
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGTERM])
        posix.kill(posix.getpid(), SIGTERM)
        await posix.waitpid(posix.fork(child))
        assert await posix.sigwait([SIGTERM]) == SIGTERM

    run(main)
    assert told == [True, set(), (posix.SIG_DFL, posix.SIG_IGN), {SIGTERM}]


def test_a_task_has_the_mask_that_its_starter_had(run: Run) -> None:
    async def thread(masks: list[set[int]]) -> None:
        masks.append(posix.pthread_sigmask(posix.SIG_BLOCK, [SIGTERM]))

    async def main() -> None:
        masks: list[set[int]] = []
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        async with anyio.create_task_group() as group:
            group.start_soon(thread, masks)
            posix.pthread_sigmask(posix.SIG_UNBLOCK, [SIGUSR1])
        assert masks == [{SIGUSR1}]
        assert posix.pthread_sigmask(posix.SIG_BLOCK, ()) == set()

    run(main)


def test_the_task_that_does_not_block_a_signal_handles_it(run: Run) -> None:
    async def thread(r: int, outcome: list[str]) -> None:
        posix.pthread_sigmask(posix.SIG_UNBLOCK, [SIGUSR1])
        try:
            await posix.read(r, 1)
        except InterruptedError:
            outcome.append("thread")

    async def child(r: int) -> None:
        outcome: list[str] = []
        posix.signal(SIGUSR1, lambda *_: outcome.append("handler"))
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGUSR1])
        async with anyio.create_task_group() as group:
            group.start_soon(thread, r, outcome)
            assert await posix.read(r, 1) == b"x"  # in spite of the signal
        assert outcome == ["handler", "thread"]

    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(child, r)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        await anyio.sleep(1)
        await posix.write(w, b"x")
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_a_cancelled_task_leaves_its_signal_to_another(run: Run) -> None:
    scope: list[anyio.CancelScope] = []
    outcome: list[str] = []

    async def other(r: int) -> None:
        with pytest.raises(InterruptedError):
            await posix.read(r, 1)
        outcome.append("another was interrupted")

    async def child(r: int) -> None:
        posix.signal(SIGUSR1, lambda *_: outcome.append("handled"))
        async with anyio.create_task_group() as group:
            group.start_soon(other, r)
            with anyio.CancelScope() as mine:
                scope.append(mine)
                await posix.read(r, 1)
            outcome.append("cancelled")

    async def main() -> None:
        r, _ = posix.pipe()
        pid = posix.fork(child, r)
        await anyio.sleep(1)
        scope[0].cancel()
        posix.kill(pid, SIGUSR1)  # the main task is still asleep, and meant
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert sorted(outcome) == ["another was interrupted", "cancelled", "handled"]


def test_a_broken_pipe_runs_the_handler_and_a_blocked_one_stays_pending(run: Run) -> None:
    async def main() -> None:
        log: list[int] = []
        logged(log, SIGPIPE)
        r, w = posix.pipe()
        posix.close(r)
        with pytest.raises(BrokenPipeError):
            await posix.write(w, b"x")
        assert log == [SIGPIPE]
        posix.pthread_sigmask(posix.SIG_BLOCK, [SIGPIPE])
        with pytest.raises(BrokenPipeError):
            await posix.write(w, b"x" * 100_000)
        assert (log, posix.sigpending()) == ([SIGPIPE], {SIGPIPE})

    run(main)


@pytest.mark.simulated("SIGIO goes to processes of the operating system")
def test_sigio_tells_the_owner_of_each_change(run: Run) -> None:
    async def main() -> None:
        log: list[Any] = []
        posix.signal(SIGIO, lambda _, info: log.append(info))
        posix.signal(SIGRTMIN, lambda _, info: log.append(info))
        r, w = posix.pipe()
        posix.fcntl(r, posix.F_SETOWN, posix.getpid())
        posix.fcntl(r, posix.F_SETFL, posix.O_ASYNC)
        await posix.write(w, b"x")
        await posix.write(w, b"y")
        assert [info.si_signo for info in log] == [SIGIO, SIGIO]
        posix.fcntl(r, posix.F_SETSIG, SIGRTMIN)
        await posix.write(w, b"z")
        assert (log[-1].si_signo, log[-1].si_code, log[-1].si_fd) == (SIGRTMIN, 1, r)
        posix.fcntl(r, posix.F_SETFL, 0)
        await posix.write(w, b"!")
        assert len(log) == 3

    run(main)


def test_sigchld_tells_who_ended_and_how(run: Run) -> None:
    async def child() -> None:
        posix._exit(3)

    async def main() -> None:
        told: list[tuple[int, ...]] = []
        posix.signal(
            SIGCHLD, lambda _, i: told.append((i.si_pid, i.si_code, i.si_status)), posix.SA_RESTART
        )
        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, 3 << 8)
        assert told == [(pid, 1, 3)]

    run(main)


def test_a_stopped_process_handles_its_signals_when_it_goes_on(run: Run) -> None:
    log: list[int] = []

    async def child(r: int) -> None:
        logged(log, SIGUSR1)
        with pytest.raises(InterruptedError):
            await posix.read(r, 1)

    async def main() -> None:
        r, _ = posix.pipe()
        pid = posix.fork(child, r)
        await anyio.sleep(1)
        posix.setpgid(pid, pid)
        for number in (SIGTSTP, SIGUSR1):
            posix.kill(pid, number)
            await anyio.sleep(1)
        assert log == []
        posix.kill(pid, 18)  # SIGCONT
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert log == [SIGUSR1]


def test_sigkill_beats_a_handler_that_is_due(run: Run) -> None:
    log: list[int] = []

    async def child() -> None:
        logged(log, SIGUSR1)
        await posix.pause()

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        posix.kill(pid, SIGKILL)
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)
    assert log == []


def test_what_no_handler_is_refused(run: Run) -> None:
    async def coroutine(*_: object) -> None: ...

    async def main() -> None:
        for wrong in (coroutine, None, 1, "SIG_IGN"):
            with pytest.raises(TypeError, match="plain function"):
                posix.signal(SIGUSR1, wrong)  # type: ignore[arg-type]
        with pytest.raises(asyncipc.Unsupported, match="0x8000000"):
            posix.signal(SIGUSR1, posix.SIG_IGN, 0x08000000)
        assert failure(posix.signal, SIGUSR1, posix.SIG_IGN, 0, [65]) == "EINVAL"
        assert failure(posix.getsignal, 0) == "EINVAL"
        assert posix.getsignal(SIGKILL) is posix.SIG_DFL
        with pytest.raises(OSError) as caught:
            posix.pthread_sigmask(7, [])
        assert caught.value.errno == errno.EINVAL

    run(main)

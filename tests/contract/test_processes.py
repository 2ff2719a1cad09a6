"""Processes as a program sees them: fork, exec, exit, wait, kill, stop, on both event loops."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.processes.children import WCONTINUED, WNOHANG, WUNTRACED
from asyncipc.kernel.readiness import IN
from asyncipc.kernel.signals.disposition import (
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGPIPE,
    SIGSTOP,
    SIGTERM,
)
from tests.pace import have_passed, moment, now

Run = Callable[..., Any]


def test_a_child_starts_at_its_parents_next_yield(run: Run) -> None:
    order: list[str] = []

    async def child() -> None:
        order.append("child")

    async def main() -> None:
        pid = posix.fork(child)
        order.append("parent")
        await posix.waitpid(pid)
        order.append("parent again")

    run(main)
    assert order == ["parent", "child", "parent again"]


def test_a_child_has_its_arguments_and_knows_its_pid_and_parent(run: Run) -> None:
    told: list[object] = []

    async def child(*args: object) -> None:
        told.extend([*args, posix.getpid(), posix.getppid()])

    async def main() -> None:
        await posix.waitpid(posix.fork(child, "a", 2))

    run(main)
    assert told == ["a", 2, 3, 2]


def test_a_child_shares_open_files_and_has_a_table_of_its_own(run: Run) -> None:
    async def child(r: int, w: int) -> None:
        assert posix.dup(r) == 5
        posix.close(r)
        posix.set_blocking(w, False)
        await posix.write(w, b"from the child")

    async def main() -> None:
        r, w = posix.pipe()
        await posix.waitpid(posix.fork(child, r, w))
        assert not posix.get_blocking(w)  # the flag is the open file's
        assert await posix.read(r, 100) == b"from the child"
        assert posix.dup(r) == 5  # the child's number is not ours

    run(main)


def test_what_is_opened_after_fork_is_not_seen_by_the_other_side(run: Run) -> None:
    async def child() -> None:
        with pytest.raises(OSError) as caught:
            await posix.read(3, 1)
        assert caught.value.errno == errno.EBADF

    async def main() -> None:
        pid = posix.fork(child)
        assert posix.pipe() == (3, 4)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_end_of_file_comes_when_the_last_copy_of_the_write_end_is_closed(run: Run) -> None:
    async def child(w: int) -> None:
        await anyio.sleep(5)

    async def main() -> None:
        r, w = posix.pipe()
        posix.fork(child, w)
        posix.close(w)
        assert await posix.read(r, 1) == b""
        assert now() == moment(5)

    run(main)


def test_a_value_that_a_child_returns_is_not_its_status(run: Run) -> None:
    async def child() -> int:
        return 7

    async def main() -> int:
        return (await posix.waitpid(posix.fork(child)))[1]

    assert run(main) == 0


def test_exit_keeps_eight_bits_and_does_not_return(run: Run) -> None:
    async def child() -> None:
        posix._exit(256 + 7)
        raise AssertionError("unreachable")

    async def main() -> int:
        return (await posix.waitpid(posix.fork(child)))[1]

    assert run(main) == 7 << 8


def test_exit_in_one_task_ends_all_tasks_of_its_process(run: Run) -> None:
    async def exits() -> None:
        await anyio.sleep(1)
        posix._exit(3)

    async def child() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 1000)
            group.start_soon(exits)
            await anyio.sleep(1000)

    async def main() -> int:
        status = (await posix.waitpid(posix.fork(child)))[1]
        assert now() == moment(1)
        return status

    assert run(main) == 3 << 8


def test_a_process_ends_when_its_task_group_is_empty(run: Run) -> None:
    async def child() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 4)

    async def main() -> None:
        await posix.waitpid(posix.fork(child))
        assert now() == moment(4)

    run(main)


def test_exec_runs_another_program_in_the_same_process(run: Run) -> None:
    told: list[object] = []

    async def other(text: str) -> None:
        told.extend([text, posix.getpid(), posix.get_inheritable(10)])
        with pytest.raises(OSError):
            posix.dup(3)
        await anyio.sleep(1)
        posix._exit(9)

    async def child() -> None:
        r, _ = posix.pipe()
        posix.dup2(r, 10)
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 1000)
            await anyio.sleep(1)
            posix.execv(other, "new")

    async def main() -> None:
        assert await posix.waitpid(posix.fork(child)) == (3, 9 << 8)
        assert now() == moment(2)

    run(main)
    assert told == ["new", 3, True]


def test_a_process_that_is_killed_before_it_ran_never_runs(run: Run) -> None:
    async def child() -> None:
        raise AssertionError("it was killed before")

    async def main() -> None:
        pid = posix.fork(child)
        posix.kill(pid, SIGKILL)
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)


def test_a_fatal_signal_to_oneself_does_not_return(run: Run) -> None:
    async def child() -> None:
        posix.kill(posix.getpid(), SIGTERM)
        raise AssertionError("unreachable")

    async def main() -> int:
        return (await posix.waitpid(posix.fork(child)))[1]

    assert run(main) == SIGTERM


def test_finally_runs_in_a_killed_process_which_can_make_no_call_any_more(run: Run) -> None:
    told: list[str] = []

    async def child() -> None:
        try:
            await anyio.sleep(1000)
        finally:
            told.append("finally")
            posix.kill(posix.getppid(), SIGKILL)
            told.append("made a call")

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        await posix.waitpid(pid)

    run(main)
    assert told == ["finally"]


def test_a_zombie_stays_until_it_is_waited_for_and_its_descriptors_do_not(run: Run) -> None:
    async def child(w: int) -> None:
        posix._exit(1)

    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(child, w)
        posix.close(w)
        assert await posix.read(r, 1) == b""
        posix.kill(pid, 0)
        assert await posix.waitpid(pid) == (pid, 1 << 8)
        with pytest.raises(ProcessLookupError):
            posix.kill(pid, 0)
        with pytest.raises(ChildProcessError):
            await posix.waitpid(pid)

    run(main)


def test_an_orphan_is_adopted_by_init_and_reaped(run: Run) -> None:
    parents: list[int] = []

    async def grandchild() -> None:
        parents.append(posix.getppid())
        await anyio.sleep(2)
        parents.append(posix.getppid())

    async def child() -> None:
        posix.fork(grandchild)
        await anyio.sleep(1)

    async def main() -> None:
        await posix.waitpid(posix.fork(child))
        with pytest.raises(ChildProcessError):
            await posix.wait()

    run(main)
    assert parents == [3, 1]


def test_wait_for_any_takes_zombies_in_order_of_birth(run: Run) -> None:
    async def main() -> None:
        pids = [posix.fork(anyio.sleep, seconds) for seconds in (3, 1, 2)]
        await anyio.sleep(5)
        assert [(await posix.wait())[0] for _ in pids] == pids

    run(main)


def test_wait_sleeps_until_the_first_child_ends(run: Run) -> None:
    async def main() -> None:
        pids = [posix.fork(anyio.sleep, seconds) for seconds in (3, 1, 2)]
        assert (await posix.wait())[0] == pids[1]
        assert now() == moment(1)
        assert await posix.waitpid(-1, WNOHANG) == (0, 0)

    run(main)


def test_two_tasks_that_wait_for_different_children_are_both_told(run: Run) -> None:
    told: list[tuple[int, float]] = []

    async def waits(pid: int) -> None:
        await posix.waitpid(pid)
        told.append((pid, now()))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(waits, posix.fork(anyio.sleep, 2))
            group.start_soon(waits, posix.fork(anyio.sleep, 1))

    run(main)
    assert told == [(4, moment(1)), (3, moment(2))]


def test_of_two_tasks_that_wait_for_one_child_one_has_it_and_one_has_echild(run: Run) -> None:
    told: list[str] = []

    async def waits(pid: int) -> None:
        try:
            await posix.waitpid(pid)
            told.append("status")
        except ChildProcessError:
            told.append("ECHILD")

    async def main() -> None:
        pid = posix.fork(anyio.sleep, 1)
        async with anyio.create_task_group() as group:
            group.start_soon(waits, pid)
            group.start_soon(waits, pid)

    run(main)
    assert sorted(told) == ["ECHILD", "status"]


def test_a_stopped_reader_takes_nothing_until_it_is_continued(run: Run) -> None:
    got: list[tuple[bytes, float]] = []

    async def child(r: int) -> None:
        got.append((await posix.read(r, 10), now()))
        await anyio.sleep(1)  # once it has ended, nobody is told that it went on

    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(child, r)
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        assert await posix.waitpid(pid, WUNTRACED) == (pid, SIGSTOP << 8 | 0x7F)
        await posix.write(w, b"x")
        await anyio.sleep(1)
        assert posix.ioctl(r, posix.FIONREAD) == 1
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid, WCONTINUED) == (pid, 0xFFFF)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert got == [(b"x", moment(2))]


def test_a_stopped_reader_does_not_hold_up_the_line(run: Run) -> None:
    async def child(r: int) -> None:
        posix._exit((await posix.read(r, 1))[0])

    async def main() -> None:
        r, w = posix.pipe()
        first = posix.fork(child, r)
        await anyio.sleep(1)
        second = posix.fork(child, r)
        await anyio.sleep(1)
        posix.kill(first, SIGSTOP)
        await posix.write(w, b"\x05")
        assert await posix.waitpid(second) == (second, 5 << 8)
        posix.kill(first, SIGCONT)
        await posix.write(w, b"\x06")
        assert await posix.waitpid(first) == (first, 6 << 8)

    run(main)


def test_a_stopped_process_that_is_killed_ends_at_once(run: Run) -> None:
    async def child(r: int) -> None:
        await posix.read(r, 1)

    async def main() -> None:
        r, _ = posix.pipe()
        for parked in (True, False):
            pid = posix.fork(child, r)
            if parked:
                await anyio.sleep(1)
            posix.kill(pid, SIGSTOP)
            await anyio.sleep(1)
            posix.kill(pid, SIGKILL)
            assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)


def test_sigterm_to_a_stopped_process_waits_for_sigcont(run: Run) -> None:
    async def main() -> None:
        pid = posix.fork(anyio.sleep, 1000)
        posix.kill(pid, SIGSTOP)
        posix.kill(pid, SIGTERM)
        await anyio.sleep(1)
        assert await posix.waitpid(pid, WNOHANG) == (0, 0)
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, SIGTERM)

    run(main)


def test_a_poll_that_times_out_in_a_stop_returns_when_it_is_continued(run: Run) -> None:
    ended: list[bool] = []

    async def child(r: int, start: float) -> None:
        assert await posix.poll([(r, IN)], 2) == []
        ended.append(have_passed(start, 10))

    async def main() -> None:
        r, _ = posix.pipe()
        pid = posix.fork(child, r, anyio.current_time())
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(9)
        posix.kill(pid, SIGCONT)
        await posix.waitpid(pid)

    run(main)
    assert ended == [True]


def test_a_broken_pipe_kills_who_does_not_ignore_sigpipe(run: Run) -> None:
    async def child(w: int) -> None:
        posix.signal(SIGPIPE, posix.SIG_DFL)
        await posix.write(w, b"x")
        raise AssertionError("unreachable")

    async def main() -> int:
        r, w = posix.pipe()
        posix.close(r)
        with pytest.raises(BrokenPipeError):
            await posix.write(w, b"x")
        return (await posix.waitpid(posix.fork(child, w)))[1]

    assert run(main) == SIGPIPE


def test_a_long_write_whose_reader_goes_returns_its_count_unless_sigpipe_kills(run: Run) -> None:
    async def reader(r: int, w: int) -> None:
        posix.close(w)
        await anyio.sleep(1)

    async def writer(r: int, w: int) -> None:
        posix.close(r)
        posix.signal(SIGPIPE, posix.SIG_DFL)
        await posix.write(w, bytes(100_000))

    async def main() -> int:
        r, w = posix.pipe()
        posix.fork(reader, r, w)
        pid = posix.fork(writer, r, w)
        posix.close(r)
        await anyio.sleep(0.5)
        with anyio.move_on_after(10):
            with pytest.raises(BrokenPipeError):
                await posix.write(w, bytes(100_000))
        return (await posix.waitpid(pid))[1]

    assert run(main) == SIGPIPE


def test_children_of_who_ignores_sigchld_leave_no_zombie(run: Run) -> None:
    async def main() -> None:
        posix.signal(SIGCHLD, posix.SIG_IGN)
        posix.fork(anyio.sleep, 1)
        posix.fork(anyio.sleep, 3)
        with pytest.raises(ChildProcessError):
            await posix.wait()
        assert now() == moment(3)

    run(main)


@pytest.mark.parametrize("quantum", [1, 2, 3])
@pytest.mark.parametrize("kind", ["posix", "channel"])
def test_nothing_is_written_after_another_task_has_closed_the_last_write_end(
    run: Run, quantum: int, kind: str
) -> None:
    """A call that lets others run before it takes effect has not begun yet."""

    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        refused: list[bool] = []

        async def writes() -> None:
            try:
                for _ in range(4):
                    fd = sender.fd
                    await (posix.write(fd, b"x") if kind == "posix" else sender.send(b"x"))
            except anyio.ClosedResourceError:
                refused.append(kind == "channel")
            except OSError as error:
                refused.append(kind == "posix" and error.errno == errno.EBADF)

        async def closes() -> None:
            sender.close()
            unread = posix.ioctl(receiver.fd, posix.FIONREAD)
            await anyio.sleep(1)
            assert posix.ioctl(receiver.fd, posix.FIONREAD) == unread

        async with anyio.create_task_group() as group:
            group.start_soon(writes)
            group.start_soon(closes)
        receiver.close()
        assert all(refused)

    run(main, quantum=quantum)

"""The report of who waits for whom: its size, its order, its words, its hints."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any, cast

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.readiness import IN, OUT
from asyncipc.kernel.waitqueue import WaitQueue
from asyncipc.runtime.report import HINT_COLUMNS, BlockedReport, BlockedTask
from asyncipc.runtime.shown_call import shown_call

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("who could end a wait is known to the simulated kernel alone")

CROWD = 2_000
REPORT_SECONDS = 5.0


def deadlock(run: Run, main: Callable[..., Any]) -> BlockedReport:
    with pytest.raises(asyncipc.Deadlock) as caught:
        run(main)
    report = caught.value.report
    assert isinstance(report, BlockedReport)
    assert str(report) == str(caught.value)
    return report


async def reads_its_own_pipe() -> None:
    r, _ = posix.pipe()
    await posix.read(r, 1)


# -- its size


def test_the_report_of_a_crowd_takes_no_longer_for_each_that_joins(run: Run) -> None:
    """Walking all tables and tasks for each blocked one took 20 s here."""

    async def main() -> tuple[int, float]:
        for _ in range(CROWD):
            posix.fork(reads_its_own_pipe)
        await anyio.sleep(1)
        start = time.process_time()
        report = asyncipc.current_simulation().blocked_report()
        text = str(report)
        took = time.process_time() - start
        for pid in range(3, 3 + CROWD):
            posix.kill(pid, 9)
        return text.count("close(4) first"), took

    found, took = run(main)
    assert found == CROWD
    assert took < REPORT_SECONDS


def test_a_crowd_that_waits_for_one_file_shares_the_list_of_its_holders(run: Run) -> None:
    async def main() -> None:
        r, _ = posix.pipe()
        for _ in range(9):
            posix.fork(posix.read, r, 1)
        await posix.read(r, 1)

    first, *others = deadlock(run, main).tasks
    assert first.wakers == tuple((pid, 4) for pid in range(2, 12))
    assert all(task.wakers is first.wakers for task in others)


def test_five_wakers_are_named_and_the_others_counted() -> None:
    def woken_by(count: int) -> str:
        wakers = tuple((pid, 4) for pid in range(2, 2 + count))
        return BlockedTask(9, "reader", "read(3, 1)", "data", wakers, "-").woken_by()

    five = "pid 2 fd 4, pid 3 fd 4, pid 4 fd 4, pid 5 fd 4, pid 6 fd 4"
    assert [woken_by(count) for count in (0, 1, 5)] == ["-", "pid 2 fd 4", five]
    assert woken_by(6) == f"{five} and 1 more"
    assert woken_by(1000) == f"{five} and 995 more"


def test_a_long_hint_is_broken_into_lines_and_rows_are_not() -> None:
    task = BlockedTask(2, "reader", "read(3, 1)", "data in " + "x" * 200, (), "-")
    hint = "hint: " + "word-with-hyphens " * 20
    _, _, row, *lines = str(BlockedReport(0, (task,), (hint,))).splitlines()
    assert (len(lines) > 1, max(map(len, lines)) <= HINT_COLUMNS) == (True, True)
    assert " ".join(" ".join(lines).split()) == hint.strip()
    assert all(line.startswith("  word-with-hyphens") for line in lines[1:])
    assert "x" * 200 in row


# -- whom it shows, and in which order


def test_the_tasks_of_a_process_stand_in_order_of_birth(run: Run) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(12):
                r, _ = posix.pipe()
                group.start_soon(posix.read, r, 1)

    calls = [task.call for task in deadlock(run, main).tasks if task.call.startswith("read")]
    assert calls == [f"read({fd}, 1)" for fd in range(3, 27, 2)]


def test_tasks_of_asyncio_stand_in_order_of_birth_and_not_of_names() -> None:
    """By name, Task-10 stands before Task-9."""

    async def main() -> None:
        pipes = [posix.pipe() for _ in range(12)]
        reads = [
            asyncio.create_task(posix.read(r, 1), name=f"Task-{number}")
            for number, (r, _) in enumerate(pipes)
        ]
        await asyncio.gather(*reads)

    def run(main: Callable[..., Any]) -> None:
        asyncipc.run(main, backend="asyncio")

    calls = [task.call for task in deadlock(run, main).tasks if task.call.startswith("read")]
    assert calls == [f"read({fd}, 1)" for fd in range(3, 27, 2)]


def test_who_asks_and_who_has_not_begun_are_not_waiting(run: Run) -> None:
    async def child() -> None:
        pass

    async def main() -> BlockedReport:
        posix.fork(child)
        return asyncipc.current_simulation().blocked_report()

    assert run(main).tasks == ()


# -- what they wait for


async def polls(*requests: tuple[int, int]) -> None:
    await posix.poll(list(requests), None)


@pytest.mark.parametrize("events", [IN, OUT, IN | OUT])
def test_poll_waits_for_readiness_whatever_it_asks_for(run: Run, events: int) -> None:
    async def main() -> None:
        a, b = posix.socketpair()
        posix.fcntl(a, posix.F_SETFL, posix.O_NONBLOCK)
        with pytest.raises(BlockingIOError):
            while True:
                await posix.send(a, bytes(1000))
        await polls((a, events))
        posix.close(b)

    (task,) = deadlock(run, main).tasks
    assert task.call == f"poll([(3, {events})])"
    assert task.waits_for == "readiness of socket:[2]"
    assert task.wakers == ((2, 4),)


def test_poll_names_all_it_waits_for_and_all_who_could_wake_it(run: Run) -> None:
    async def child(r: int, s: int, other: int) -> None:
        posix.close(other)
        await polls((s, IN), (r, IN))

    async def main() -> None:
        r, _ = posix.pipe()
        one, other = posix.socketpair()
        await posix.waitpid(posix.fork(child, r, one, other))

    _, task = deadlock(run, main).tasks
    assert task.waits_for == "readiness of socket:[4], pipe:[2]"
    assert task.wakers == ((2, 4), (2, 6), (3, 4))


def test_a_read_waits_for_data_and_a_write_for_room(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        posix.fork(posix.read, posix.pipe()[0], 1)
        await posix.write(w, bytes(100_000))
        await posix.read(r, 1)

    writer, reader = deadlock(run, main).tasks
    assert (writer.waits_for, writer.writes) == ("room in pipe:[2]", True)
    assert (reader.waits_for, reader.writes) == ("data in pipe:[4]", False)


def test_who_accepts_waits_for_a_connection(run: Run) -> None:
    async def main() -> None:
        listener = posix.socket(socket.AF_INET, socket.SOCK_STREAM)
        posix.listen(listener)
        posix.fork(posix.accept4, listener)
        await posix.accept(listener)

    report = deadlock(run, main)
    assert [task.call for task in report.tasks] == ["accept(3)", "accept4(3)"]
    assert {task.waits_for for task in report.tasks} == {"a connection at socket:[2]"}
    assert not report.hints


async def opens(path: str) -> None:
    posix.mkfifo(path)
    await posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC)


async def connects(name: str | bytes) -> None:
    posix.bind(listener := posix.socket(socket.AF_UNIX, socket.SOCK_STREAM), name)
    posix.listen(listener, 0)
    for _ in range(3):
        await posix.connect(posix.socket(socket.AF_UNIX, socket.SOCK_STREAM), name)


async def sends_to(name: str | bytes) -> None:
    posix.bind(posix.socket(socket.AF_UNIX, socket.SOCK_DGRAM), name)
    for _ in range(30):
        await posix.sendto(posix.socket(socket.AF_UNIX, socket.SOCK_DGRAM), b"xx", name)


@pytest.mark.parametrize(
    ("shown", "program", "args"),
    [
        ("openat('/tmp/f', O_WRONLY)", opens, ("/tmp/f",)),
        (f"openat('/tmp/{'x' * 35}'..., O_WRONLY)", opens, ("/tmp/" + "x" * 200,)),
        ("connect(5, '/tmp/s')", connects, ("/tmp/s",)),
        (r"connect(5, b'\x00name')", connects, (b"\0name",)),
        (r"sendto(15, 2 bytes, 0, b'\x00name')", sends_to, (b"\0name",)),
        ("rt_sigtimedwait([10, 12])", posix.sigwait, ([12, 10],)),
        ("rt_sigsuspend([10])", posix.sigsuspend, ([10],)),
        ("rt_sigsuspend([])", posix.sigsuspend, ([],)),
        ("pause()", posix.pause, ()),
        ("nanosleep(inf)", posix.nanosleep, (float("inf"),)),
        ("poll([])", posix.poll, ([],)),
        ("poll([(0, 2), (1, 2)])", posix.poll, ([(0, 2), (1, 2)],)),
        ("poll([(0, 2), (0, 2), (0, 2), (0, 2), (0, 2), ...])", posix.poll, ([(0, 2)] * 9,)),
        ("select([], [], [0, 1])", posix.select, ([], [], [0, 1])),
    ],
)
def test_a_call_is_shown_with_its_arguments_in_short(
    run: Run, shown: str, program: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    async def main() -> None:
        await program(*args)

    (task,) = deadlock(run, main).tasks
    assert task.call == shown


def test_a_connect_that_waits_for_its_handshake_is_shown_with_its_address(run: Run) -> None:
    async def main() -> str:
        server, client = (posix.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(2))
        posix.bind(server, ("127.0.0.1", 80))
        posix.listen(server, 0)
        await posix.connect(posix.socket(socket.AF_INET, socket.SOCK_STREAM), ("127.0.0.1", 80))
        async with anyio.create_task_group() as group:
            group.start_soon(posix.connect, client, ("127.0.0.1", 80))
            await anyio.sleep(0.1)
            (task,) = asyncipc.current_simulation().blocked_report().tasks
            group.cancel_scope.cancel()
        return str(task.call)

    assert run(main) == "connect(4, ('127.0.0.1', 80))"


class Stubborn:
    """An argument that fails whoever looks at it."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)


class StubbornVerb:
    def __call__(self) -> None:
        """Never called."""

    def arguments(self) -> tuple[object, ...]:
        raise RuntimeError


def test_an_argument_that_cannot_be_shown_does_not_hide_the_rest() -> None:
    refusal = WaitQueue(cast("Any", None), IN).refusal
    assert shown_call(None, ("connect", len, (Stubborn(),), refusal)) == "connect(...)"
    endless: list[object] = []
    endless.append(endless)
    assert shown_call(None, ("connect", len, (endless,), refusal)) == "connect(...)"
    assert shown_call(None, ("read", StubbornVerb(), (), refusal)) == "read(...)"
    assert shown_call(None, ("x", len, (None, object(), 2.5), refusal)) == "x(None, ..., 2.5)"


# -- hints


def test_who_alone_keeps_a_pipe_open_for_writing_is_told_to_close_it(run: Run) -> None:
    (hint,) = deadlock(run, reads_its_own_pipe).hints
    assert hint == (
        "hint: pid 2 waits for the end of what it could still write itself: "
        "its own descriptor 4 keeps the write end open; close(4) first"
    )


def test_poll_of_a_pipe_of_its_own_is_not_a_wait_for_its_end(run: Run) -> None:
    async def main() -> None:
        r, _ = posix.pipe()
        await polls((r, IN))

    assert deadlock(run, main).hints == ()


def test_a_write_into_a_pipe_of_its_own_is_not_a_wait_for_its_end(run: Run) -> None:
    async def main() -> None:
        _, w = posix.pipe()
        await posix.write(w, bytes(100_000))

    assert deadlock(run, main).hints == ()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_who_alone_holds_both_ends_of_a_socketpair_is_told_so(run: Run, kind: int) -> None:
    async def main() -> None:
        one, _ = posix.socketpair(socket.AF_UNIX, kind)
        await posix.recv(one, 1)

    (hint,) = deadlock(run, main).hints
    assert hint == (
        "hint: pid 2 waits for data in socket:[2], but nobody else holds the other end: "
        "it is its own descriptor 4"
    )


def test_an_end_that_another_holds_too_is_no_reason_for_a_hint(run: Run) -> None:
    async def child(r: int) -> None:
        await posix.read(r, 1)

    async def main() -> None:
        r, _ = posix.pipe()
        one, _ = posix.socketpair()
        posix.fork(child, r)
        await posix.recv(one, 1)

    assert not [hint for hint in deadlock(run, main).hints if hint.startswith("hint")]


def test_a_ring_of_many_is_a_cycle_whose_hint_is_broken_into_lines(run: Run) -> None:
    async def member(reads: int, writes: int) -> None:
        for fd in range(3, 43):
            if fd not in (reads, writes):
                posix.close(fd)
        await posix.read(reads, 1)

    async def main() -> None:
        pipes = [posix.pipe() for _ in range(20)]
        for (r, _), (_, w) in zip(pipes, pipes[1:], strict=False):
            posix.fork(member, r, w)
        await member(pipes[-1][0], pipes[0][1])

    report = deadlock(run, main)
    (cycle,) = report.hints
    assert cycle.count("pid ") == 21
    assert max(map(len, str(report).partition("cycle")[2].splitlines())) <= HINT_COLUMNS

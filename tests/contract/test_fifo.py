"""FIFOs between processes: who waits in open, who is released, and what an end leaves behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.events import Event, SystemCall
from asyncipc.faces.fifo import open_fifo
from asyncipc.kernel.files.node import FifoNode, Status
from asyncipc.kernel.readiness import HUP, IN, OUT
from asyncipc.kernel.signals.disposition import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from asyncipc.runtime.process import current
from tests.pace import have_passed

Run = Callable[..., Any]


def ends(path: bytes = b"/tmp/f") -> tuple[int, int]:
    """How many read ends and write ends the kernel counts."""
    process, simulation = current().process, current().simulation
    if isinstance(simulation.machine, asyncipc.Native):
        return real_ends(simulation.localhost.backend.names.stat(process, path))
    node = simulation.localhost.kernel.names.lookup(process, path)
    assert isinstance(node, FifoNode)
    return (0, 0) if node.pipe is None else (len(node.pipe.readers), len(node.pipe.writers))


def real_ends(fifo: Status) -> tuple[int, int]:
    """Those of this interpreter, with who waits for a reader: it keeps hold of the FIFO."""
    counts = {os.O_RDONLY: 0, os.O_WRONLY: 0}
    for number in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):
            found = os.fstat(number)
            if (found.st_dev, found.st_ino) == (fifo.device, fifo.inode):
                flags = fcntl.fcntl(number, fcntl.F_GETFL)
                counts[os.O_WRONLY if flags & (os.O_WRONLY | os.O_PATH) else os.O_RDONLY] += 1
    return counts[os.O_RDONLY], counts[os.O_WRONLY]


async def read_all(fd: int) -> bytes:
    parts = []
    while part := await posix.read(fd, 100):
        parts.append(part)
    return b"".join(parts)


def test_two_processes_meet_at_a_name(run: Run) -> None:
    async def child() -> None:
        w = await posix.open("/tmp/f", os.O_WRONLY)
        await posix.write(w, b"by name")
        posix._exit(0)

    async def main() -> None:
        posix.mkfifo("/tmp/f", 0o600)
        pid = posix.fork(child)
        r = await posix.open("f", os.O_RDONLY)
        assert r == 3
        assert await read_all(r) == b"by name"
        await posix.waitpid(pid)
        assert ends() == (1, 0)

    run(main)


@pytest.mark.parametrize(("mine", "others"), [("r", "w"), ("w", "r")])
def test_an_open_blocks_until_the_other_side_opens_be_it_to_close_at_once(
    run: Run, mine: str, others: str
) -> None:
    flags = {"r": os.O_RDONLY, "w": os.O_WRONLY}

    async def child() -> None:
        await anyio.sleep(5)
        posix.close(await posix.open("f", flags[others]))

    async def main() -> None:
        start = anyio.current_time()
        posix.mkfifo("f")
        pid = posix.fork(child)
        fd = await posix.open("f", flags[mine])
        assert have_passed(start, 5)
        await posix.waitpid(pid)
        posix.close(fd)
        assert ends() == (0, 0)

    run(main)


def test_two_who_wait_for_each_other_release_each_other_and_many_for_one(run: Run) -> None:
    opened: list[int] = []

    async def reader() -> None:
        await posix.open("f", os.O_RDONLY)
        opened.append(posix.getpid())

    async def main() -> None:
        posix.mkfifo("f")
        pids = [posix.fork(reader) for _ in range(3)]
        await anyio.sleep(1)
        assert opened == []
        await posix.open("f", os.O_WRONLY)
        for pid in pids:
            await posix.waitpid(pid)
        assert sorted(opened) == pids

    run(main)


@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_WRONLY])
def test_a_process_killed_in_open_takes_its_end_back_in_that_instant(run: Run, access: int) -> None:
    async def child() -> None:
        await posix.open("f", access)

    async def main() -> None:
        posix.mkfifo("f")
        pid = posix.fork(child)
        await anyio.sleep(1)
        assert sum(ends()) == 1
        posix.kill(pid, SIGKILL)
        assert ends() == (0, 0)
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)


def test_a_program_that_execs_while_its_task_sleeps_in_open_leaves_nothing_behind(
    run: Run,
) -> None:
    async def next_program() -> None:
        await anyio.sleep(1)
        assert ends() == (0, 0)

    async def child() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(posix.open, "f", os.O_RDONLY)
            await anyio.sleep(1)
            assert ends() == (1, 0)
            posix.execv(next_program)

    async def main() -> None:
        posix.mkfifo("f")
        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_a_stopped_process_opens_when_it_is_continued(run: Run) -> None:
    async def child() -> None:
        await posix.open("f", os.O_RDONLY)

    async def main() -> None:
        posix.mkfifo("f")
        pid = posix.fork(child)
        posix.kill(pid, SIGSTOP)  # before it has run
        await anyio.sleep(1)
        assert ends() == (0, 0)
        posix.kill(pid, SIGCONT)
        await anyio.sleep(1)
        assert ends() == (1, 0)
        posix.kill(pid, SIGSTOP)  # in its sleep
        w = await posix.open("f", os.O_WRONLY)
        await anyio.sleep(1)
        posix.close(w)
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_WRONLY])
def test_a_handled_signal_interrupts_an_open_and_takes_its_end_back(run: Run, access: int) -> None:
    async def child() -> None:
        posix.signal(SIGTERM, lambda sig, info: None)
        with pytest.raises(InterruptedError):
            await posix.open("f", access)
        assert ends() == (0, 0)

    async def main() -> None:
        posix.mkfifo("f")
        pid = posix.fork(child)
        await anyio.sleep(1)
        assert sum(ends()) == 1
        posix.kill(pid, SIGTERM)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_an_open_that_restarts_is_still_an_end_and_a_fifo_channel_always_restarts(
    run: Run,
) -> None:
    handled: list[int] = []

    async def child() -> None:
        posix.signal(SIGTERM, lambda sig, info: handled.append(sig), posix.SA_RESTART)
        await posix.open("f", os.O_RDONLY)
        posix.signal(SIGTERM, lambda sig, info: handled.append(sig))
        async with await open_fifo("g", "r"):
            pass

    async def main() -> None:
        posix.mkfifo("f")
        posix.mkfifo("g")
        pid = posix.fork(child)
        for name in ("f", "g"):
            await anyio.sleep(1)
            posix.kill(pid, SIGTERM)
            await anyio.sleep(1)
            assert ends(f"/tmp/{name}".encode()) == (1, 0)
            posix.close(await posix.open(name, os.O_WRONLY))
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert handled == [SIGTERM, SIGTERM]


def test_without_a_free_number_nothing_is_opened(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        posix.setrlimit(posix.RLIMIT_NOFILE, (3, 1024))
        with pytest.raises(OSError, match="Too many open files") as caught:
            await posix.open("f", os.O_RDONLY)
        assert caught.value.errno == errno.EMFILE
        assert ends() == (0, 0)
        posix.setrlimit(posix.RLIMIT_NOFILE, (4, 1024))

        async def opener() -> None:
            with pytest.raises(OSError, match="Too many open files"):
                await posix.open("f", os.O_RDONLY)

        async def robber() -> None:
            await anyio.sleep(1)
            assert ends() == (1, 0)
            posix.dup(0)

        async def partner() -> None:
            await anyio.sleep(2)
            posix.close(0)
            await posix.open("f", os.O_WRONLY)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(opener)
            tasks.start_soon(robber)
            pid = posix.fork(partner)
        await posix.waitpid(pid)
        assert ends() == (0, 0)

    run(main)


def test_nonblocking_opens_and_reads_never_wait(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        with pytest.raises(OSError, match="No such device or address") as caught:
            await posix.open("f", os.O_WRONLY | os.O_NONBLOCK)
        assert caught.value.errno == errno.ENXIO
        r = await posix.open("f", os.O_RDONLY | os.O_NONBLOCK)
        assert await posix.read(r, 1) == b""
        posix.set_blocking(r, True)
        assert await posix.read(r, 1) == b"", "there is no writer that it could wait for"
        assert await posix.poll([(r, IN)], 0) == []
        w = await posix.open("f", os.O_WRONLY | os.O_NONBLOCK)
        posix.close(w)
        assert await posix.poll([(r, IN)], 0) == [(r, HUP)]

    run(main)


def test_a_poll_that_began_before_the_first_writer_sees_it_go(run: Run) -> None:
    async def child() -> None:
        await anyio.sleep(1)
        posix.close(await posix.open("f", os.O_WRONLY))

    async def main() -> None:
        posix.mkfifo("f")
        r = await posix.open("f", os.O_RDONLY | os.O_NONBLOCK)
        posix.fork(child)
        assert await posix.poll([(r, IN)]) == [(r, HUP)]
        assert await posix.select([r], [], [], 0) == ([r], [], [])
        await posix.wait()

    run(main)


def test_many_writers_and_readers_share_one_stream_and_every_byte_comes_once(run: Run) -> None:
    got: list[bytes] = []

    async def writer(letter: bytes) -> None:
        w = await posix.open("f", os.O_WRONLY)
        for _ in range(50):
            await posix.write(w, letter * 3000)

    async def reader() -> None:
        r = await posix.open("f", os.O_RDONLY)
        while data := await posix.read(r, 7000):
            got.append(data)

    async def main() -> None:
        posix.mkfifo("f")
        pids = [posix.fork(writer, letter) for letter in (b"a", b"b", b"c")]
        pids += [posix.fork(reader) for _ in range(2)]
        for pid in pids:
            assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert sorted(b"".join(got)) == sorted(b"abc" * 150_000)


def test_a_blocked_writer_meets_a_broken_pipe_when_the_last_reader_goes(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        r = await posix.open("f", os.O_RDONLY | os.O_NONBLOCK)
        w = await posix.open("f", os.O_WRONLY)
        await posix.write(w, bytes(65536))

        async def blocked() -> None:
            with pytest.raises(BrokenPipeError):
                await posix.write(w, b"x")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(blocked)
            await anyio.sleep(1)
            posix.close(r)
        r = await posix.open("f", os.O_RDONLY | os.O_NONBLOCK)
        assert len(await posix.read(r, 65536)) == 65536, "the writer kept what was in it"
        assert await posix.write(w, b"mended") == 6

    run(main)


@pytest.mark.simulated("a report of the deadlock")
def test_an_open_nobody_answers_is_a_deadlock_that_names_the_fifo(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("/tmp/f")
        await posix.open("/tmp/f", os.O_RDONLY)

    with pytest.raises(asyncipc.Deadlock) as caught:
        run(main)
    (task,) = caught.value.report.tasks  # type: ignore[attr-defined]
    assert task.call.startswith("openat(")
    assert task.waits_for == "the other end of /tmp/f"


def test_the_tap_is_told_of_an_open_with_its_path_and_number(run: Run) -> None:
    calls: list[SystemCall] = []

    def listen(event: Event) -> None:
        if isinstance(event, SystemCall):
            calls.append(event)

    async def main() -> None:
        posix.mkfifo("f", 0o600)
        await posix.open("f", os.O_RDWR)
        with pytest.raises(FileNotFoundError):
            await posix.open("missing", os.O_RDONLY)
        posix.unlink("f")

    run(main, observers=[listen])
    told = [(event.call, event.args, str(event.result)) for event in calls]
    assert told == [
        ("mkfifo", (b"f", 0o600), "None"),
        ("openat", (-100, b"f", os.O_RDWR, 0o777), "3"),
        ("openat", (-100, b"missing", os.O_RDONLY, 0o777), told[2][2]),
        ("unlink", (b"f",), "None"),
    ]
    assert "ENOENT" in told[2][2]


def test_close_on_exec_is_what_the_open_asked_for(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        assert posix.get_inheritable(await posix.open("f", os.O_RDWR))
        assert not posix.get_inheritable(await posix.open("f", os.O_RDWR | os.O_CLOEXEC))

    run(main)


def test_a_full_fifo_is_writable_again_for_every_one_of_its_writers(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        both = await posix.open("f", os.O_RDWR)
        w = await posix.open("f", os.O_WRONLY)
        await posix.write(w, bytes(65536))
        assert await posix.poll([(both, OUT), (w, OUT)], 0) == []

        async def make_room() -> None:
            await anyio.sleep(1)
            await posix.read(both, 4096)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(make_room)
            assert await posix.poll([(both, OUT), (w, OUT)]) == [(both, OUT), (w, OUT)]

    run(main)

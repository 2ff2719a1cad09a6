"""splice, tee and sendfile as calls: how they wait, and how they are ended in their sleep."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from signal import SIGUSR1
from typing import Any

import anyio
import pytest

from asyncipc import Fault, Unsupported, posix
from asyncipc.kernel.signals.disposition import SIGKILL, SIGPIPE
from asyncipc.kernel.sockets.socket import AF_UNIX, SOCK_STREAM
from asyncipc.runtime.process import current
from tests.pace import have_passed, until_asleep

Run = Callable[..., Any]
NEW = os.O_CREAT | os.O_RDWR
LIMITS = {"splice": 2, "sendfile": 1}


@dataclass
class Case:
    """A call that sleeps, and what must hold as if it had never been made."""

    call: Callable[[], Awaitable[object]]
    check: Callable[[], Awaitable[object]]


async def new_file(data: bytes) -> int:
    f = await posix.open("f", NEW)
    await posix.write(f, data)
    posix.lseek(f, 0)
    return f


async def fill(fd: int) -> None:
    posix.set_blocking(fd, False)
    try:
        while True:
            await posix.write(fd, bytes(4096))
    except BlockingIOError:
        posix.set_blocking(fd, True)


def an_empty_pipe(move: Callable[[int, int], Awaitable[int]]) -> Callable[[], Awaitable[Case]]:
    async def make() -> Case:
        (r, w), (r2, w2) = posix.pipe(), posix.pipe()

        async def check() -> None:
            await posix.write(w, b"kept")
            assert await posix.read(r, 9) == b"kept"
            posix.set_blocking(r2, False)
            with pytest.raises(BlockingIOError):
                await posix.read(r2, 1)

        return Case(lambda: move(r, w2), check)

    return make


async def a_full_pipe() -> Case:
    (r, w), (r2, w2) = posix.pipe(), posix.pipe()
    await posix.write(w, b"kept")
    await fill(w2)

    async def check() -> None:
        assert await posix.read(r, 9) == b"kept"
        assert len(await posix.read(r2, 1 << 20)) == 65536

    return Case(lambda: posix.splice(r, w2, 4), check)


async def a_full_socket() -> Case:
    (r, w), (a, b) = posix.pipe(), posix.socketpair(AF_UNIX, SOCK_STREAM)
    await posix.write(w, b"kept")
    await fill(a)

    async def check() -> None:
        assert await posix.read(r, 9) == b"kept"
        assert set(await posix.read(b, 1 << 20)) == {0}

    return Case(lambda: posix.splice(r, a, 4), check)


async def a_file_for_a_full_socket() -> Case:
    f, (a, b) = await new_file(b"kept"), posix.socketpair(AF_UNIX, SOCK_STREAM)
    await fill(a)

    async def check() -> None:
        assert posix.lseek(f, 0, os.SEEK_CUR) == 0
        assert set(await posix.read(b, 1 << 20)) == {0}

    return Case(lambda: posix.sendfile(a, f, None, 4), check)


async def a_silent_socket() -> Case:
    (r, w), (a, b) = posix.pipe(), posix.socketpair(AF_UNIX, SOCK_STREAM)

    async def check() -> None:
        await posix.write(b, b"kept")
        assert await posix.read(a, 9) == b"kept"
        await posix.write(w, b"x")
        assert await posix.read(r, 9) == b"x"

    return Case(lambda: posix.splice(a, w, 4), check)


CASES = {
    "splice of an empty pipe": an_empty_pipe(lambda r, w: posix.splice(r, w, 9)),
    "tee of an empty pipe": an_empty_pipe(lambda r, w: posix.tee(r, w, 9)),
    "splice to a full pipe": a_full_pipe,
    "splice to a full socket": a_full_socket,
    "splice from a silent socket": a_silent_socket,
    "sendfile to a full socket": a_file_for_a_full_socket,
}
each_call = pytest.mark.parametrize("make", CASES.values(), ids=CASES.keys())


@each_call
def test_a_cancelled_sleep_in_a_call_has_had_no_effect(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        case = await make()
        with anyio.move_on_after(1) as scope:
            await case.call()
        assert scope.cancelled_caught
        assert not current().sleepers
        await case.check()

    run(main)


@each_call
def test_a_call_in_a_cancelled_scope_has_no_effect_and_does_not_sleep(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        case = await make()
        start = anyio.current_time()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await case.call()
        assert scope.cancelled_caught
        assert have_passed(start, 0)
        await case.check()

    run(main)


@each_call
def test_a_killed_sleeper_lets_go_of_both_files_at_once(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def child() -> None:
        case = await make()
        await case.call()
        raise AssertionError("it was to sleep for ever")

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        process = current().simulation.localhost.kernel.processes[pid]
        files = [entry.file for entry in process.table if entry.fd > 2]
        posix.kill(pid, SIGKILL)
        assert [file.holders for file in files] == [0] * len(files)
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)


@each_call
def test_a_handled_signal_ends_a_sleep_that_has_moved_nothing(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def child() -> None:
        posix.signal(SIGUSR1, lambda signal, info: None)
        case = await make()
        with pytest.raises(InterruptedError):
            await case.call()
        await case.check()

    async def main() -> None:
        pid = posix.fork(child)
        await until_asleep(pid)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_a_splice_waits_for_its_first_octet_then_for_room_and_moves_what_there_is(run: Run) -> None:
    async def main() -> None:
        (r, w), (r2, w2) = posix.pipe(), posix.pipe()
        await fill(w2)
        async with anyio.create_task_group() as group:

            async def mover() -> None:
                assert await posix.splice(r, w2, 100) == 6

            group.start_soon(mover)
            await anyio.sleep(1)
            await posix.write(w, b"abcdef")
            await anyio.sleep(1)
            assert await posix.read(r2, 4096) == bytes(4096)
        assert (await posix.read(r2, 1 << 20)).endswith(b"abcdef")

    run(main)


def test_a_line_of_splices_is_a_shell_pipeline(run: Run) -> None:
    async def mover(source: int, target: int) -> None:
        while await posix.splice(source, target, 1 << 20):
            pass
        posix._exit(0)

    async def main() -> None:
        data = bytes(range(256)) * 2000
        f = await new_file(data)
        ends = [posix.pipe() for _ in range(3)]
        a, b = posix.socketpair(AF_UNIX, SOCK_STREAM)
        hops = [(f, ends[0][1])]
        hops += [(ends[i][0], ends[i + 1][1]) for i in range(2)]
        hops.append((ends[2][0], a))
        for source, target in hops:
            posix.fork(only_these, mover, source, target)
        for fd in [fd for pair in ends for fd in pair] + [f, a]:
            posix.close(fd)
        received = b""
        while part := await posix.read(b, 1 << 20):
            received += part
        assert received == data
        for _ in hops:
            assert (await posix.wait())[1] == 0

    async def only_these(
        program: Callable[[int, int], Awaitable[None]], source: int, target: int
    ) -> None:
        for fd in map(int, posix.listdir("/proc/self/fd")):
            if fd not in {source, target}:
                posix.close(fd)
        await program(source, target)

    run(main)


def test_a_sendfile_that_is_cancelled_half_way_returns_its_short_count(run: Run) -> None:
    async def main() -> None:
        f = await new_file(bytes(1 << 20))
        a, b = posix.socketpair(AF_UNIX, SOCK_STREAM)
        counts = []
        with anyio.move_on_after(1):
            counts.append(await posix.sendfile(a, f, None, 1 << 20))
        (sent,) = counts
        assert 0 < sent < 1 << 20
        assert posix.lseek(f, 0, os.SEEK_CUR) == sent == len(await posix.recv(b, 1 << 20))

    run(main)


def test_a_sendfile_whose_peer_goes_half_way_returns_its_count_without_sigpipe(run: Run) -> None:
    async def main() -> None:
        seen: list[int] = []
        posix.signal(SIGPIPE, lambda signal, info: seen.append(signal))
        f = await new_file(bytes(1 << 20))
        a, b = posix.socketpair(AF_UNIX, SOCK_STREAM)
        async with anyio.create_task_group() as group:

            async def sender() -> None:
                assert 0 < await posix.sendfile(a, f, 0, 1 << 20) < 1 << 20

            group.start_soon(sender)
            await anyio.sleep(1)
            posix.close(b)
        assert seen == []  # what was unread makes it ECONNRESET, told to the next call

    run(main)


def test_a_broken_pipe_is_epipe_with_sigpipe(run: Run) -> None:
    async def main() -> None:
        seen: list[int] = []
        posix.signal(SIGPIPE, lambda signal, info: seen.append(signal))
        f = await new_file(b"abc")
        r, w = posix.pipe()
        posix.close(r)
        with pytest.raises(BrokenPipeError):
            await posix.splice(f, w, 3)
        with pytest.raises(BrokenPipeError):
            await posix.sendfile(w, f, 0, 3)
        assert seen == [SIGPIPE, SIGPIPE]

    run(main)


def test_a_receive_time_limit_holds_for_a_splice_of_the_socket(run: Run) -> None:
    async def main() -> None:
        (_, w), (a, _) = posix.pipe(), posix.socketpair(AF_UNIX, SOCK_STREAM)
        posix.setsockopt(
            a, socket.SOL_SOCKET, socket.SO_RCVTIMEO, (2).to_bytes(8, "little") + bytes(8)
        )
        start = anyio.current_time()
        with pytest.raises(BlockingIOError):
            await posix.splice(a, w, 9)
        assert have_passed(start, 2)

    run(main)


def test_what_is_asked_before_the_descriptors_are(run: Run) -> None:
    async def main() -> None:
        assert await posix.splice(99, 98, 0, flags=64) == 0
        for call in (posix.splice(99, 98, 1, flags=64), posix.tee(99, 98, 0, 64)):
            with pytest.raises(OSError, match="Invalid"):
                await call
        assert await posix.tee(99, 98, 0) == 0
        for call in (posix.splice(0, 98, 1), posix.tee(99, 0, 1), posix.sendfile(99, 98, 0, 0)):
            with pytest.raises(OSError, match="Bad file") as caught:
                await call
            assert caught.value.errno == errno.EBADF
        with pytest.raises(Unsupported, match="vmsplice"):
            posix.vmsplice(0, [b"x"])

    run(main)


def test_a_short_transfer_of_a_fault_plan_is_a_short_splice(run: Run) -> None:
    async def main() -> None:
        f = await new_file(b"abcdef")
        r, w = posix.pipe()
        assert await posix.splice(f, w, 6) == 2
        assert await posix.sendfile(w, f, 0, 6) == 1
        assert await posix.read(r, 9) == b"aba"

    run(main, faults=[Fault(nth=1, call=name, limit=n) for name, n in LIMITS.items()])

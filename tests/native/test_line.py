"""The line over one registration: nobody in it is forgotten, whatever becomes of its first."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from anyio.lowlevel import checkpoint

from asyncipc import posix
from asyncipc.kernel.signals.disposition import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from asyncipc.native.descriptor import NativeFile, RealDescriptor
from asyncipc.native.line import VAIN_MAX, DescriptorLine, RetryLine
from asyncipc.native.sockets.socket import NativeSocket
from asyncipc.runtime.process import current

if TYPE_CHECKING:
    from asyncipc.kernel.waitqueue import Waitable

Run = Callable[..., Any]
MOMENTS = range(7)


def line_of(fd: int) -> DescriptorLine:
    """Who waits to read here."""
    file = current().process.table[fd].file
    assert isinstance(file, RealDescriptor)
    return file.read_line()


async def steps(count: int) -> None:
    for _ in range(count):
        await checkpoint()


async def registered() -> None:
    """The others sleep by now, the first of them in the scheduler's hands."""
    await steps(20)


class Readers:
    """Tasks that read one byte each."""

    def __init__(self, fd: int, count: int) -> None:
        self.fd = fd
        self.got: list[tuple[int, bytes]] = []
        self.scopes = [anyio.CancelScope() for _ in range(count)]

    async def read(self, number: int) -> None:
        with self.scopes[number]:
            self.got.append((number, await posix.read(self.fd, 1)))


@pytest.mark.parametrize("asleep", [False, True])
def test_whenever_the_first_is_cancelled_the_others_have_what_comes(run: Run, asleep: bool) -> None:
    async def once(written: int, cancelled: int) -> None:
        r, w = posix.pipe()
        readers = Readers(r, 3)

        async def write() -> None:
            await steps(written)
            await posix.write(w, b"a")

        async def cancel() -> None:
            await steps(cancelled)
            readers.scopes[0].cancel()

        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(readers.read, number)
            if asleep:
                await registered()
            tasks.start_soon(write)
            tasks.start_soon(cancel)
            await registered()
            assert len(readers.got) == 1, (written, cancelled)
            await posix.write(w, b"bc")
        got = b"".join(sorted(data for _, data in readers.got))
        if readers.scopes[0].cancelled_caught:
            assert got == b"ab", (written, cancelled)
            assert await posix.read(r, 2) == b"c"
        else:
            assert got == b"abc", (written, cancelled)
        assert not line_of(r).barred
        posix.close(r)
        posix.close(w)

    async def main() -> None:
        for written in MOMENTS:
            for cancelled in MOMENTS:
                await once(written, cancelled)

    run(main)


@pytest.mark.parametrize("cancelled", MOMENTS)
def test_whenever_two_are_cancelled_the_third_has_what_comes(run: Run, cancelled: int) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        readers = Readers(r, 3)
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(readers.read, number)
            await registered()
            readers.scopes[0].cancel()
            await steps(cancelled)
            readers.scopes[1].cancel()
            await posix.write(w, b"a")
            await registered()
            if readers.got == [(1, b"a")]:  # its turn had come before it was cancelled
                await posix.write(w, b"b")
        assert readers.got[-1][0] == 2
        assert not line_of(r).barred

    run(main)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("first", [True, False])
def test_a_signal_that_is_handled_ends_no_sleep_for_ever(
    run: Run, moment: int, first: bool
) -> None:
    async def child(r: int) -> None:
        posix.signal(SIGTERM, lambda *_: None, posix.SA_RESTART)
        assert len(await posix.read(r, 1)) == 1

    async def main() -> None:
        r, w = posix.pipe()
        readers = Readers(r, 1)
        async with anyio.create_task_group() as tasks:
            if not first:
                tasks.start_soon(readers.read, 0)
                await registered()
            pid = posix.fork(child, r)
            await registered()
            if first:
                tasks.start_soon(readers.read, 0)
                await registered()
            posix.kill(pid, SIGTERM)
            await steps(moment)
            await posix.write(w, b"ab")
            assert await posix.waitpid(pid) == (pid, 0)
        assert len(readers.got) == 1

    run(main)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("signal", [SIGKILL, SIGSTOP])
def test_one_that_is_killed_or_stopped_leaves_the_registration_to_the_next(
    run: Run, moment: int, signal: int
) -> None:
    async def child(r: int) -> None:
        assert len(await posix.read(r, 1)) == 1

    async def main() -> None:
        r, w = posix.pipe()
        readers = Readers(r, 1)
        async with anyio.create_task_group() as tasks:
            pid = posix.fork(child, r)
            await registered()
            tasks.start_soon(readers.read, 0)
            await registered()
            posix.kill(pid, signal)
            await steps(moment)
            await posix.write(w, b"a")
            await registered()
            assert readers.got == [(0, b"a")]
            if signal == SIGSTOP:
                posix.kill(pid, SIGCONT)
                await posix.write(w, b"b")
        assert (await posix.waitpid(pid))[1] == (0 if signal == SIGSTOP else SIGKILL)

    run(main)


@pytest.mark.parametrize("shielded", [False, True])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_number_of_the_dead_may_be_waited_for_anew_at_once(
    run: Run, moment: int, shielded: bool
) -> None:
    async def child(ready: int) -> None:
        r, _ = posix.pipe()
        await posix.write(ready, b"%d" % current().process.table[r].file.number)  # type: ignore[attr-defined]
        with anyio.CancelScope(shield=shielded):
            await posix.read(r, 1)

    async def main() -> None:
        told, tell = posix.pipe()
        pid = posix.fork(child, tell)
        number = int(await posix.read(told, 9))
        await registered()
        posix.kill(pid, SIGKILL)
        await steps(moment)
        r, w = posix.pipe()
        assert number == current().process.table[r].file.number, "the system gives it again"  # type: ignore[attr-defined]
        readers = Readers(r, 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(readers.read, 0)
            await registered()
            await posix.write(w, b"a")
        assert readers.got == [(0, b"a")]
        await posix.waitpid(pid)

    run(main)


async def fill(fd: int) -> int:
    filled = 0
    while True:
        try:
            filled += await posix.send(fd, bytes(4096), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return filled


async def empty(fd: int, filled: int) -> None:
    while filled:
        filled -= len(await posix.recv(fd, min(filled, 65536)))


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("cancels", ["reader", "writer"])
def test_who_waits_for_the_other_direction_is_not_forgotten(
    run: Run, moment: int, cancels: str
) -> None:
    async def main() -> None:
        a, b = posix.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        filled = await fill(a)
        done: list[str] = []
        scopes = {"reader": anyio.CancelScope(), "writer": anyio.CancelScope()}

        async def call(name: str) -> None:
            with scopes[name]:
                await (posix.recv(a, 1) if name == "reader" else posix.send(a, b"x"))
                done.append(name)

        async with anyio.create_task_group() as tasks:
            for name in scopes:
                tasks.start_soon(call, name)
            await registered()
            scopes[cancels].cancel()
            await steps(moment)
            await posix.send(b, b"y")
            await empty(b, filled)
        assert done == ["writer" if cancels == "reader" else "reader"]

    run(main)


def test_who_is_woken_for_another_reason_was_not_ready_in_vain(run: Run) -> None:
    """On trio who waits for one direction is woken with who is signalled in the other."""

    async def child(a: int) -> None:
        posix.signal(SIGTERM, lambda *_: None, posix.SA_RESTART)
        assert await posix.send(a, b"x") == 1

    async def main() -> None:
        a, b = posix.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        filled = await fill(a)
        readers = Readers(a, 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(readers.read, 0)
            pid = posix.fork(child, a)
            for _ in range(VAIN_MAX * 3):
                await registered()
                posix.kill(pid, SIGTERM)
            await registered()
            assert line_of(a).vain <= VAIN_MAX, "it still waits for the system, not for time"
            await posix.send(b, b"y")
        await empty(b, filled)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_what_is_ready_in_vain_is_looked_at_less_and_less_often(run: Run) -> None:
    attempts: list[float] = []

    class Fickle(NativeFile):
        """poll(2) says that there is something to read, and read(2) that there is not."""

        __slots__ = ()

        def read(self, size: int) -> Any:
            attempts.append(anyio.current_time())
            line = self.read_line()
            return b"at last" if len(attempts) == 30 else line.refusal

    async def main() -> None:
        body = current()
        number, writing = os.pipe()
        os.write(writing, b"x")
        file = Fickle(body.simulation.localhost.kernel, number, os.O_RDONLY)
        fd = body.process.table.open(file, cloexec=True)[0].fd
        assert await posix.read(fd, 9) == b"at last"
        os.close(writing)
        last = attempts[-1] - attempts[-5]
        assert last >= 4 * 0.02 * 0.9, f"four looks in {last} s"

    run(main)


def test_a_long_call_that_goes_on_never_looks_by_time(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    monkeypatch.setattr("asyncipc.native.line.pause_ns", lambda tries: looked.append(tries) or 1)

    async def drain(r: int) -> None:
        left = 4_000_000
        while left:
            left -= len(await posix.read(r, 65536))

    async def main() -> None:
        r, w = posix.pipe()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drain, r)
            assert await posix.write(w, bytes(4_000_000)) == 4_000_000
        a, b = posix.socketpair()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(posix.send, a, bytes(4_000_000))
            received = await posix.recv(b, 4_000_000, socket.MSG_WAITALL)
        assert len(received) == 4_000_000

    run(main)
    assert looked == []


def test_who_is_killed_in_both_directions_of_a_socket_leaves_nothing_registered(run: Run) -> None:
    async def child(end: int) -> None:
        async def write() -> None:
            while True:
                await posix.write(end, bytes(100_000))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(posix.read, end, 10)
            tasks.start_soon(write)

    async def main() -> None:
        a, b = posix.socketpair()
        pid = posix.fork(child, a)
        posix.close(a)
        await registered()
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        assert await posix.waitpid(pid) == (pid, SIGKILL)
        again, other = posix.socketpair()  # the numbers that the dead have left
        posix.close(b)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(posix.read, again, 1)
            await registered()
            await posix.write(other, b"x")

    run(main)


def test_a_poll_outlives_the_number_that_it_began_with(run: Run) -> None:
    async def main() -> None:
        r, _ = posix.pipe()
        q, w = posix.pipe()
        answers = []

        async def ask() -> None:
            answers.append(await posix.poll([(r, 1)], 3))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await steps(1)
            posix.dup2(q, r)
        assert answers == [[]]
        await posix.write(w, b"x")
        assert await posix.poll([(r, 1)], 3) == [(r, 1)]

    run(main)


# -- who looks again by time


def test_who_looks_again_by_time_has_a_rhythm_of_its_own() -> None:
    class Sleeping:
        def wake(self) -> None: ...

    old, new = Sleeping(), Sleeping()
    line = RetryLine(cast("Waitable", old))
    line.join(old)
    for _ in range(9):
        line.refused(old)
    line.join(new)
    line.refused(new)
    assert (line.tries(old), line.tries(new)) == (9, 1)
    line.leave(old)
    line.join(old)  # another call of it
    assert (line.tries(old), line.tries(new)) == (0, 1)


def test_a_sender_soon_looks_for_room_that_another_has_long_waited_for(run: Run) -> None:
    async def main() -> None:
        receiver, filler = (posix.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
        posix.bind(receiver, "/tmp/full")
        sender = posix.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with pytest.raises(BlockingIOError):
            while True:
                await posix.sendto(filler, b"x", "/tmp/full", socket.MSG_DONTWAIT)
        file = current().process.table[sender].file
        assert isinstance(file, NativeSocket)
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(posix.sendto, sender, b"x", "/tmp/full")
                await anyio.sleep(2)  # a tenth of a second, outside
            assert file.retries is not None
            (old, new) = file.retries._sleepers.values()
            assert old > new > 0
            group.cancel_scope.cancel()
        assert not file.retries._sleepers

    run(main)

"""POSIX message queues between processes: every wait, and every way that it ends."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.errors import Deadlock
from asyncipc.events import Event, SystemCall
from asyncipc.kernel.readiness import IN, OUT
from asyncipc.kernel.signals.disposition import SI_MESGQ, SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from asyncipc.runtime.process import current
from tests.contract.queues import NAME, has_passed, nothing_stays, sleepers
from tests.pace import until_asleep

__all__ = ["nothing_stays"]
pytestmark = pytest.mark.usefixtures("nothing_stays")

Run = Callable[..., Any]
Call = Callable[[], Awaitable[object]]
CREATE = os.O_CREAT | os.O_RDWR


def queue(maxmsg: int = 1) -> int:
    return posix.mq_open(NAME, CREATE, 0o600, posix.QueueAttributes(0, maxmsg, 16))


def nobody_waits() -> bool:
    """Neither in a call nor, where the model can be looked into, in the queue."""
    for found in current().simulation.localhost.kernel.message_queues:
        if found.senders or found.receivers.standing:
            return False
    return not sleepers("mq_")


def waiting(fd: int) -> int:
    return posix.mq_getattr(fd).mq_curmsgs


async def receive_all(fd: int) -> list[bytes]:
    """All that is there."""
    got = []
    posix.mq_setattr(fd, os.O_NONBLOCK)
    try:
        while True:
            got.append((await posix.mq_receive(fd, 16))[0])
    except BlockingIOError:
        posix.mq_setattr(fd, 0)
    return got


class Receiving:
    """A receiver that sleeps, and is let go by a message."""

    @staticmethod
    async def prepare() -> int:
        return queue()

    @staticmethod
    def call(fd: int) -> Awaitable[object]:
        return posix.mq_receive(fd, 16)

    @staticmethod
    async def release(fd: int) -> None:
        await posix.mq_send(fd, b"x", 3)

    result: object = (b"x", 3)
    left: tuple[bytes, ...] = (b"x",)
    """What is in the queue when it was released and had no effect."""


class TimedReceiving(Receiving):
    @staticmethod
    def call(fd: int) -> Awaitable[object]:
        return posix.mq_timedreceive(fd, 16, 1000)


class Sending:
    @staticmethod
    async def prepare() -> int:
        fd = queue()
        await posix.mq_send(fd, b"full")
        return fd

    @staticmethod
    def call(fd: int) -> Awaitable[object]:
        return posix.mq_send(fd, b"x", 3)

    @staticmethod
    async def release(fd: int) -> None:
        assert await posix.mq_receive(fd, 16) == (b"full", 0)

    result = None
    left = ()


class TimedSending(Sending):
    @staticmethod
    def call(fd: int) -> Awaitable[object]:
        return posix.mq_timedsend(fd, b"x", 3, 1000)


each_wait = pytest.mark.parametrize("wait", [Receiving, TimedReceiving, Sending, TimedSending])


# -- every way that a wait ends


@each_wait
def test_a_cancelled_sleep_has_had_no_effect(run: Run, wait: Any) -> None:
    async def main() -> None:
        fd = await wait.prepare()
        with anyio.move_on_after(1) as scope:
            await wait.call(fd)
        assert scope.cancelled_caught
        assert nobody_waits()
        await wait.release(fd)
        assert await receive_all(fd) == list(wait.left)

    run(main)


@each_wait
def test_a_call_in_a_cancelled_scope_has_no_effect_and_does_not_sleep(run: Run, wait: Any) -> None:
    async def main() -> None:
        fd = await wait.prepare()
        start = anyio.current_time()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await wait.call(fd)
        assert scope.cancelled_caught
        assert has_passed(start, 0)
        await wait.release(fd)
        assert await receive_all(fd) == list(wait.left)

    run(main)


@each_wait
def test_a_call_that_could_act_in_a_cancelled_scope_does_not(run: Run, wait: Any) -> None:
    async def main() -> None:
        fd = await wait.prepare()
        await wait.release(fd)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await wait.call(fd)
        assert scope.cancelled_caught
        assert await receive_all(fd) == list(wait.left)

    run(main)


@each_wait
def test_asyncio_cancels_it_after_it_was_released_and_nothing_is_lost(
    leftovers: object, wait: Any
) -> None:
    async def main() -> None:
        fd = await wait.prepare()
        task = asyncio.ensure_future(wait.call(fd))
        await asyncio.sleep(1)
        await wait.release(fd)
        task.cancel()
        if wait.result is None:
            assert await task is None, "its message is in: too late"
        else:
            with pytest.raises(asyncio.CancelledError):
                await task
        assert nobody_waits()
        assert await receive_all(fd) == [b"x"]

    asyncipc.run(main, backend="asyncio")


@pytest.mark.simulated("a sleeper is served within the call of another")
def test_a_receiver_that_is_cancelled_already_is_handed_nothing(run: Run) -> None:
    async def main() -> None:
        fd = posix.mq_open(NAME, os.O_CREAT | os.O_RDWR, 0o600, posix.QueueAttributes(0, 2, 16))
        got = []

        async def receive(scope: anyio.CancelScope) -> None:
            with scope:
                got.append(await posix.mq_receive(fd, 16))

        async with anyio.create_task_group() as tasks:
            scopes = [anyio.CancelScope() for _ in range(2)]
            for scope in scopes:
                tasks.start_soon(receive, scope)
                await anyio.sleep(1)
            scopes[0].cancel()
            at_once(posix.mq_send(fd, b"1"))
            assert posix.mq_getattr(fd).mq_curmsgs == 0, "the second has it"
            at_once(posix.mq_send(fd, b"2"))
            assert posix.mq_getattr(fd).mq_curmsgs == 1
            at_once(posix.mq_send(fd, b"3"))
            with pytest.raises(BlockingIOError):
                posix.mq_setattr(fd, os.O_NONBLOCK)
                at_once(posix.mq_send(fd, b"4"))
        assert got == [(b"1", 0)]
        assert await receive_all(fd) == [b"2", b"3"]

    run(main, quantum=32)


@pytest.mark.simulated("a sleeper is served within the call of another")
def test_the_message_of_a_sleeping_sender_is_there_when_a_receive_has_returned(run: Run) -> None:
    async def main() -> None:
        fd = posix.mq_open(NAME, os.O_CREAT | os.O_RDWR, 0o600, posix.QueueAttributes(0, 1, 16))
        data = bytearray(b"old")
        await posix.mq_send(fd, b"full")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(posix.mq_send, fd, data)
            await anyio.sleep(1)
            data[:] = b"newer, and longer"
            at_once(posix.mq_receive(fd, 16))
            assert posix.mq_getattr(fd).mq_curmsgs == 1
            posix.mq_setattr(fd, os.O_NONBLOCK)
            assert await posix.mq_receive(fd, 16) == (b"old", 0), "as it was at the call"
        assert nobody_waits()

    run(main, quantum=32)


@pytest.mark.simulated("a sleeper is served within the call of another")
def test_a_sender_that_is_cancelled_already_lets_the_next_in(run: Run) -> None:
    async def main() -> None:
        fd = posix.mq_open(NAME, os.O_CREAT | os.O_RDWR, 0o600, posix.QueueAttributes(0, 1, 16))
        await posix.mq_send(fd, b"full")

        async def send(data: bytes, scope: anyio.CancelScope) -> None:
            with scope:
                await posix.mq_send(fd, data)

        async with anyio.create_task_group() as tasks:
            scopes = [anyio.CancelScope() for _ in range(2)]
            for number, scope in enumerate(scopes):
                tasks.start_soon(send, b"%d" % number, scope)
                await anyio.sleep(1)
            scopes[0].cancel()
            at_once(posix.mq_receive(fd, 16))
            scopes[1].cancel()
        assert scopes[0].cancelled_caught
        assert not scopes[1].cancelled_caught, "too late"
        assert await receive_all(fd) == [b"1"]

    run(main, quantum=32)


@each_wait
def test_what_a_released_and_cancelled_one_left_is_the_next_ones(run: Run, wait: Any) -> None:
    async def main() -> None:
        fd = await wait.prepare()
        results: list[object] = []

        async def call(scope: anyio.CancelScope) -> None:
            with scope:
                results.append(await wait.call(fd))

        first, second = anyio.CancelScope(), anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, first)
            await anyio.sleep(1)
            tasks.start_soon(call, second)
            await anyio.sleep(1)
            await wait.release(fd)
            first.cancel()
            await anyio.sleep(1)
            assert results == [wait.result], "the first has it (trio) or else the second"
            second.cancel()
        assert nobody_waits()

    run(main)


@each_wait
def test_a_killed_sleeper_leaves_at_once(run: Run, wait: Any) -> None:
    async def child() -> None:
        await wait.call(posix.mq_open(NAME, os.O_RDWR))
        raise AssertionError("it was to sleep for ever")

    async def main() -> None:
        fd = await wait.prepare()
        pid = posix.fork(child)
        await anyio.sleep(1)
        assert not nobody_waits()
        posix.kill(pid, SIGKILL)
        assert nobody_waits()
        await wait.release(fd)
        assert await receive_all(fd) == list(wait.left)
        assert await posix.waitpid(pid) == (pid, SIGKILL)
        for found in current().simulation.localhost.kernel.message_queues:
            assert len(found.files) == 1

    run(main)


@each_wait
@pytest.mark.parametrize("restart", [False, True])
def test_a_handler_ends_it_with_eintr_unless_it_restarts(
    run: Run, wait: Any, restart: bool
) -> None:
    """Timed ones restart, too: their time is a point (mq_timedreceive measured)."""

    async def child() -> None:
        posix.signal(SIGTERM, lambda *_: None, posix.SA_RESTART if restart else 0)
        fd = posix.mq_open(NAME, os.O_RDWR)
        if restart:
            assert await wait.call(fd) == wait.result
        else:
            with pytest.raises(InterruptedError):
                await wait.call(fd)

    async def main() -> None:
        fd = await wait.prepare()
        pid = posix.fork(child)
        await until_asleep(pid)
        posix.kill(pid, SIGTERM)
        await anyio.sleep(1)
        assert nobody_waits() is not restart
        await wait.release(fd)
        assert await posix.waitpid(pid) == (pid, 0)
        await receive_all(fd)

    run(main)


@each_wait
def test_a_stopped_sleeper_has_left_the_line_and_goes_on_when_continued(
    run: Run, wait: Any
) -> None:
    async def child() -> None:
        assert await wait.call(posix.mq_open(NAME, os.O_RDWR)) == wait.result

    async def main() -> None:
        fd = await wait.prepare()
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(1)
        assert nobody_waits()
        await wait.release(fd)
        assert waiting(fd) == len(wait.left)
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def at_once(call: Any) -> None:
    """Have a call take effect before anybody else runs."""
    with pytest.raises(StopIteration):
        call.send(None)


@each_wait
@pytest.mark.parametrize("stopped_first", [True, False])
def test_nothing_is_lost_in_the_instant_of_a_stop(run: Run, wait: Any, stopped_first: bool) -> None:
    async def child() -> None:
        assert await wait.call(posix.mq_open(NAME, os.O_RDWR)) == wait.result

    async def main() -> None:
        fd = await wait.prepare()
        pid = posix.fork(child)
        await anyio.sleep(1)
        if not stopped_first:
            at_once(wait.release(fd))
        posix.kill(pid, SIGSTOP)
        if stopped_first:
            at_once(wait.release(fd))
        await anyio.sleep(1)
        assert nobody_waits()
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)
        assert waiting(fd) == (wait.result is None)

    run(main, quantum=32)


@pytest.mark.simulated("a sleeper is served within the call of another")
def test_what_a_stopped_receiver_was_handed_is_for_others_and_told(run: Run) -> None:
    async def child() -> None:
        assert await posix.mq_receive(posix.mq_open(NAME, os.O_RDWR), 16) == (b"second", 0)

    async def main() -> None:
        fd = queue()
        told = []
        posix.signal(SIGTERM, lambda *_: told.append("told"))
        posix.mq_notify(fd, posix.SignalEvent(SIGTERM))
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        at_once(posix.mq_send(fd, b"first"))
        await anyio.sleep(1)
        assert await posix.mq_receive(fd, 16) == (b"first", 0)
        assert told == ["told"]
        posix.kill(pid, SIGCONT)
        await posix.mq_send(fd, b"second")
        assert await posix.waitpid(pid) == (pid, 0)

    run(main, quantum=32)


@each_wait
def test_a_descriptor_that_is_closed_meanwhile_disturbs_nobody(run: Run, wait: Any) -> None:
    async def main() -> None:
        fd = await wait.prepare()
        other = posix.mq_open(NAME, os.O_RDWR)

        async def sleep() -> None:
            assert await wait.call(fd) == wait.result

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleep)
            await anyio.sleep(1)
            posix.mq_close(fd)
            await anyio.sleep(1)
            await wait.release(other)

    run(main)


def test_a_time_limit_ends_it_with_etimedout_and_a_past_one_acts_if_it_can(run: Run) -> None:
    async def main() -> None:
        fd = queue()
        start = anyio.current_time()
        for timeout_s, passed in ((2.5, 2.5), (0, 2.5), (-1, 2.5)):
            with pytest.raises(TimeoutError):
                await posix.mq_timedreceive(fd, 16, timeout_s)
            assert has_passed(start, passed)
        await posix.mq_timedsend(fd, b"x", 0, -1)
        with pytest.raises(TimeoutError):
            await posix.mq_timedsend(fd, b"y", 0, 0.5)
        assert has_passed(start, 3)
        assert await posix.mq_timedreceive(fd, 16, 0) == (b"x", 0)
        assert nobody_waits()
        posix.mq_setattr(fd, os.O_NONBLOCK)
        for seconds in (1, 0, None, float("inf")):
            with pytest.raises(BlockingIOError):
                await posix.mq_timedreceive(fd, 16, seconds)
        with pytest.raises(ValueError, match="NaN"):
            await posix.mq_timedreceive(fd, 16, float("nan"))

    run(main)


# -- order


@pytest.mark.simulated("a seed")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_receivers_are_served_in_the_order_they_came(run: Run, seed: int) -> None:
    async def main() -> None:
        fd = queue(maxmsg=10)
        got: dict[int, object] = {}

        async def receive(number: int) -> None:
            got[number] = await posix.mq_receive(fd, 16)

        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(receive, number)
                await anyio.sleep(1)
            for number in range(4):
                await posix.mq_send(fd, b"%d" % number, number)
        assert got == {number: (b"%d" % number, number) for number in range(4)}

    run(main, seed=seed)


@pytest.mark.simulated("a seed")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_senders_come_in_in_the_order_they_came(run: Run, seed: int) -> None:
    async def main() -> None:
        fd = queue()
        await posix.mq_send(fd, b"full")
        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(posix.mq_send, fd, b"%d" % number, number)
                await anyio.sleep(1)
            got = []
            for _ in range(5):
                got.append((await posix.mq_receive(fd, 16))[0])
        assert got == [b"full", b"0", b"1", b"2", b"3"]

    run(main, seed=seed)


# -- a descriptor among others


def test_it_is_shared_by_fork_and_lost_by_exec(run: Run) -> None:
    async def program() -> None:
        with pytest.raises(OSError, match="Bad file descriptor"):
            posix.mq_getattr(3)

    async def child() -> None:
        assert await posix.mq_receive(3, 16) == (b"x", 0)
        posix.execv(program)

    async def main() -> None:
        fd = queue()
        assert fd == 3
        assert not posix.get_inheritable(fd)
        await posix.mq_send(posix.dup(fd), b"x")
        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_poll_waits_for_messages_and_for_room(run: Run) -> None:
    async def main() -> None:
        fd = queue()
        assert await posix.poll([(fd, IN | OUT)]) == [(fd, OUT)]

        async def later(call: Call) -> None:
            await anyio.sleep(1)
            await call()

        for events, call in (
            (IN, lambda: posix.mq_send(fd, b"x")),
            (OUT, lambda: posix.mq_receive(fd, 16)),
        ):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(later, call)
                assert await posix.poll([(fd, events)]) == [(fd, events)]

    run(main)


@pytest.mark.parametrize("call", [posix.mq_receive, posix.mq_send])
def test_other_descriptors_are_ebadf(run: Run, call: Any) -> None:
    async def main() -> None:
        r, _ = posix.pipe()
        for fd in (r, 99):
            with pytest.raises(OSError, match="Bad file descriptor"):
                await call(fd, 16 if call is posix.mq_receive else b"x")
            for ask in (posix.mq_getattr, lambda fd: posix.mq_setattr(fd, 0)):
                with pytest.raises(OSError, match="Bad file descriptor"):
                    ask(fd)
            with pytest.raises(OSError, match="Bad file descriptor"):
                posix.mq_notify(fd, None)

    run(main)


def test_a_full_table_makes_no_queue(run: Run) -> None:
    async def main() -> None:
        posix.setrlimit(posix.RLIMIT_NOFILE, (3, 1024))
        with pytest.raises(OSError, match="Too many open files"):
            queue()
        posix.setrlimit(posix.RLIMIT_NOFILE, (1024, 1024))
        with pytest.raises(FileNotFoundError):
            posix.mq_unlink(NAME)

    run(main)


# -- notification


@pytest.mark.simulated("mq_notify needs isolation='process'")
def test_a_message_from_another_process_raises_the_signal_once(run: Run) -> None:
    async def child() -> None:
        fd = posix.mq_open(NAME, os.O_WRONLY)
        await posix.mq_send(fd, b"1")
        await posix.mq_send(fd, b"2")

    async def main() -> None:
        told: list[posix.SignalInfo] = []
        posix.signal(SIGTERM, lambda _, info: told.append(info))
        fd = queue(maxmsg=2)
        posix.mq_notify(fd, posix.SignalEvent(SIGTERM, 77))
        pid = posix.fork(child)
        await posix.waitpid(pid)
        assert [(info.si_code, info.si_pid, info.si_value) for info in told] == [
            (SI_MESGQ, pid, 77)
        ]
        posix.mq_notify(fd, posix.SignalEvent(SIGTERM))
        with pytest.raises(OSError, match="busy") as caught:
            posix.mq_notify(fd, posix.SignalEvent(SIGTERM))
        assert caught.value.errno == errno.EBUSY

    run(main)


@pytest.mark.simulated("mq_notify needs isolation='process'")
def test_a_registration_ends_with_its_process(run: Run) -> None:
    async def child() -> None:
        posix.mq_notify(posix.mq_open(NAME, os.O_RDONLY), posix.SignalEvent(SIGTERM))
        await posix.pause()

    async def main() -> None:
        fd = queue()
        pid = posix.fork(child)
        await anyio.sleep(1)
        with pytest.raises(OSError, match="busy"):
            posix.mq_notify(fd, posix.SignalEvent(SIGTERM))
        posix.kill(pid, SIGKILL)
        posix.mq_notify(fd, posix.SignalEvent(0, 0, posix.SIGEV_NONE))

    run(main)


# -- watching


def test_the_tap_is_told_calls_and_results(run: Run) -> None:
    told: list[tuple[str, object, object]] = []

    def listen(event: Event) -> None:
        if isinstance(event, SystemCall):
            told.append((event.call, event.args, event.result))

    async def main() -> None:
        fd = queue()
        await posix.mq_send(fd, b"x", 3)
        await posix.mq_receive(fd, 16)
        posix.mq_unlink(NAME)

    run(main, observers=[listen])
    assert told[1:] == [
        ("mq_timedsend", (3, b"x", 3), None),
        ("mq_timedreceive", (3, 16), (b"x", 3)),
        ("mq_unlink", (NAME.encode(),), None),
    ]
    assert told[0] == ("mq_open", (NAME.encode(), CREATE, 0o600, (0, 1, 16, 0)), 3)


@pytest.mark.simulated("a report of the deadlock")
def test_a_deadlock_report_names_queue_and_call(run: Run) -> None:
    async def main() -> None:
        await posix.mq_receive(queue(), 16)

    with pytest.raises(Deadlock) as caught:
        run(main)
    assert "mq_timedreceive(3, 16)" in str(caught.value)
    assert NAME in str(caught.value)


def test_a_queue_takes_no_o_async_and_refuses_o_direct(run: Run) -> None:
    async def main() -> None:
        fd = queue()
        posix.fcntl(fd, posix.F_SETFL, posix.O_ASYNC | posix.O_APPEND)
        assert posix.fcntl(fd, posix.F_GETFL) == os.O_RDWR | os.O_APPEND
        with pytest.raises(OSError, match="Invalid argument"):
            posix.fcntl(fd, posix.F_SETFL, posix.O_DIRECT)
        assert posix.fcntl(fd, posix.F_GETFL) == os.O_RDWR | os.O_APPEND

    run(main)


def test_lseek_finds_data_up_to_the_size_and_the_hole_behind(run: Run) -> None:
    async def main() -> None:
        fd = queue()
        assert posix.lseek(fd, 40, posix.SEEK_DATA) == 40
        assert [posix.lseek(fd, at, posix.SEEK_HOLE) for at in (-1, 0, 79)] == [80] * 3
        for whence in (posix.SEEK_DATA, posix.SEEK_HOLE):
            with pytest.raises(OSError, match="No such device or address"):
                posix.lseek(fd, 80, whence)
        with pytest.raises(OSError, match="Invalid argument"):
            posix.lseek(fd, -1, posix.SEEK_DATA)
        assert posix.lseek(fd, 0, posix.SEEK_CUR) == 80

    run(main)

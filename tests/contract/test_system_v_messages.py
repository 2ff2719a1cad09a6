"""System V message queues between processes: every wait, and every way that it ends."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.errors import Deadlock
from asyncipc.events import Event, SystemCall
from asyncipc.kernel.signals.disposition import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from asyncipc.runtime.process import current
from tests.contract.queues import KEY, has_passed, is_now, known_as, nothing_stays, sleepers

__all__ = ["nothing_stays"]
pytestmark = pytest.mark.usefixtures("nothing_stays")

Run = Callable[..., Any]
FULL = b"f" * 8192


def queue() -> int:
    return posix.msgget(KEY, posix.IPC_CREAT | 0o600)


def nobody_waits() -> bool:
    """Neither in a call nor, where the model can be looked into, in the queue."""
    for found in current().simulation.localhost.kernel.system_v_messages.known:
        if found.senders or found.receivers.standing:
            return False
    return not sleepers("msg")


async def receive_all(msqid: int) -> list[bytes]:
    """All that is there."""
    got = []
    while True:
        try:
            got.append((await posix.msgrcv(msqid, 8192, 0, posix.IPC_NOWAIT))[1])
        except OSError as error:
            if error.errno != errno.ENOMSG:
                raise
            return got


class Receiving:
    """A receiver of type 7 that sleeps, and is let go by a message."""

    @staticmethod
    async def prepare() -> int:
        msqid = queue()
        await posix.msgsnd(msqid, 6, b"other")
        return msqid

    @staticmethod
    def call(msqid: int) -> Awaitable[object]:
        return posix.msgrcv(msqid, 16, 7)

    @staticmethod
    async def release(msqid: int) -> None:
        await posix.msgsnd(msqid, 7, b"x")

    result: object = (7, b"x")
    left: tuple[bytes, ...] = (b"other", b"x")
    """What is in the queue when it was released and had no effect."""


class Sending:
    @staticmethod
    async def prepare() -> int:
        msqid = queue()
        await posix.msgsnd(msqid, 6, FULL)
        await posix.msgsnd(msqid, 5, FULL)
        return msqid

    @staticmethod
    def call(msqid: int) -> Awaitable[object]:
        return posix.msgsnd(msqid, 7, b"x")

    @staticmethod
    async def release(msqid: int) -> None:
        assert await posix.msgrcv(msqid, 8192, 6) == (6, FULL)

    result = None
    left = (FULL,)


each_wait = pytest.mark.parametrize("wait", [Receiving, Sending])


# -- every way that a wait ends


@each_wait
def test_a_cancelled_sleep_has_had_no_effect(run: Run, wait: Any) -> None:
    async def main() -> None:
        msqid = await wait.prepare()
        with anyio.move_on_after(1) as scope:
            await wait.call(msqid)
        assert scope.cancelled_caught
        assert nobody_waits()
        await wait.release(msqid)
        assert await receive_all(msqid) == list(wait.left)

    run(main)


@each_wait
@pytest.mark.parametrize("released", [False, True])
def test_a_call_in_a_cancelled_scope_has_no_effect_and_does_not_sleep(
    run: Run, wait: Any, released: bool
) -> None:
    async def main() -> None:
        msqid = await wait.prepare()
        if released:
            await wait.release(msqid)
        start = anyio.current_time()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await wait.call(msqid)
        assert scope.cancelled_caught
        assert has_passed(start, 0)
        if not released:
            await wait.release(msqid)
        assert await receive_all(msqid) == list(wait.left)

    run(main)


@each_wait
def test_asyncio_cancels_it_after_it_was_released_and_nothing_is_lost(
    leftovers: object, wait: Any
) -> None:
    async def main() -> None:
        msqid = await wait.prepare()
        task = asyncio.ensure_future(wait.call(msqid))
        await asyncio.sleep(1)
        await wait.release(msqid)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert nobody_waits()
        assert await receive_all(msqid) == list(wait.left)

    asyncipc.run(main, backend="asyncio")


@each_wait
def test_what_a_released_and_cancelled_one_left_is_the_next_ones(run: Run, wait: Any) -> None:
    async def main() -> None:
        msqid = await wait.prepare()
        results: list[object] = []

        async def call(scope: anyio.CancelScope) -> None:
            with scope:
                results.append(await wait.call(msqid))

        first, second = anyio.CancelScope(), anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, first)
            await anyio.sleep(1)
            tasks.start_soon(call, second)
            await anyio.sleep(1)
            await wait.release(msqid)
            first.cancel()
            await anyio.sleep(1)
            assert wait.result in results
            second.cancel()
        assert nobody_waits()

    run(main)


@each_wait
def test_a_killed_sleeper_leaves_at_once(run: Run, wait: Any) -> None:
    async def child() -> None:
        await wait.call(posix.msgget(KEY, 0))
        raise AssertionError("it was to sleep for ever")

    async def main() -> None:
        msqid = await wait.prepare()
        pid = posix.fork(child)
        await anyio.sleep(1)
        assert not nobody_waits()
        posix.kill(pid, SIGKILL)
        assert nobody_waits()
        await wait.release(msqid)
        assert await receive_all(msqid) == list(wait.left)
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)


@each_wait
@pytest.mark.parametrize("flags", [0, posix.SA_RESTART])
def test_a_handler_ends_it_with_eintr_whatever_it_says(run: Run, wait: Any, flags: int) -> None:
    async def child() -> None:
        posix.signal(SIGTERM, lambda *_: None, flags)
        with pytest.raises(InterruptedError):
            await wait.call(posix.msgget(KEY, 0))

    async def main() -> None:
        msqid = await wait.prepare()
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGTERM)
        assert await posix.waitpid(pid) == (pid, 0)
        assert nobody_waits()
        await wait.release(msqid)
        assert await receive_all(msqid) == list(wait.left)

    run(main)


@each_wait
def test_a_stopped_sleeper_goes_on_when_continued(run: Run, wait: Any) -> None:
    async def child() -> None:
        assert await wait.call(posix.msgget(KEY, 0)) == wait.result

    async def main() -> None:
        msqid = await wait.prepare()
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(1)
        assert nobody_waits()
        await wait.release(msqid)
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
        assert await wait.call(posix.msgget(KEY, 0)) == wait.result

    async def main() -> None:
        msqid = await wait.prepare()
        pid = posix.fork(child)
        await anyio.sleep(1)
        if not stopped_first:
            at_once(wait.release(msqid))
        posix.kill(pid, SIGSTOP)
        if stopped_first:
            at_once(wait.release(msqid))
        await anyio.sleep(1)
        assert nobody_waits()
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)
        had = [b"other"] if wait is Receiving else [FULL, b"x"]
        assert await receive_all(msqid) == had

    run(main, quantum=32)


@each_wait
def test_removal_ends_it_with_eidrm_and_the_next_call_is_einval(run: Run, wait: Any) -> None:
    async def child() -> None:
        msqid = posix.msgget(KEY, 0)
        for expected in (errno.EIDRM, errno.EINVAL):
            with pytest.raises(OSError, match=r".") as caught:
                await wait.call(msqid)
            assert caught.value.errno == expected

    async def main() -> None:
        msqid = await wait.prepare()
        pids = [posix.fork(child) for _ in range(3)]
        await anyio.sleep(1)
        posix.msgctl(msqid, posix.IPC_RMID)
        for pid in pids:
            assert await posix.waitpid(pid) == (pid, 0)

    run(main)


@each_wait
def test_nobody_waits_with_ipc_nowait(run: Run, wait: Any) -> None:
    async def main() -> None:
        msqid = await wait.prepare()
        with pytest.raises(OSError, match=r".") as caught:
            if wait is Receiving:
                await posix.msgrcv(msqid, 16, 7, posix.IPC_NOWAIT)
            else:
                await posix.msgsnd(msqid, 7, b"x", posix.IPC_NOWAIT)
        assert caught.value.errno == (errno.ENOMSG if wait is Receiving else errno.EAGAIN)

    run(main)


# -- order


@pytest.mark.simulated("the order of sleepers")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_receivers_of_a_type_are_served_in_the_order_they_came(run: Run, seed: int) -> None:
    async def main() -> None:
        msqid = queue()
        got: dict[int, object] = {}

        async def receive(number: int, kind: int) -> None:
            got[number] = await posix.msgrcv(msqid, 16, kind)

        async with anyio.create_task_group() as tasks:
            for number, kind in enumerate((1, 2, 0, -2, 2)):
                tasks.start_soon(receive, number, kind)
                await anyio.sleep(1)
            for text in (b"2a", b"2b", b"2c", b"2d", b"1e"):
                await posix.msgsnd(msqid, int(text[:1]), text)
        assert got == {
            0: (1, b"1e"),
            1: (2, b"2a"),
            2: (2, b"2b"),
            3: (2, b"2c"),
            4: (2, b"2d"),
        }

    run(main, seed=seed)


def test_a_request_and_its_answer_by_the_clients_pid(run: Run) -> None:
    async def client() -> None:
        msqid = posix.msgget(KEY, 0)
        await posix.msgsnd(msqid, 1, b"%d" % posix.getpid())
        assert await posix.msgrcv(msqid, 16, posix.getpid()) == (posix.getpid(), b"hello")

    async def main() -> None:
        msqid = queue()
        pids = [posix.fork(client) for _ in range(3)]
        for _ in pids:
            _, name = await posix.msgrcv(msqid, 16, 1)
            await posix.msgsnd(msqid, int(name), b"hello")
        for pid in pids:
            assert await posix.waitpid(pid) == (pid, 0)
        status = posix.msgctl(msqid, posix.IPC_STAT)
        assert status is not None
        assert (status.key, status.msg_qnum) == (KEY, 0)
        assert status.msg_lspid == known_as(posix.getpid())

    run(main)


def test_messages_outlive_their_senders(run: Run) -> None:
    async def child() -> None:
        await posix.msgsnd(posix.msgget(KEY, 0), 1, b"left")

    async def main() -> None:
        msqid = queue()
        pid = posix.fork(child)
        await posix.waitpid(pid)
        assert await posix.msgrcv(msqid, 16) == (1, b"left")

    run(main)


@pytest.mark.simulated("a sleeper is served within the call of another")
def test_a_receiver_that_is_cancelled_already_is_handed_nothing(run: Run) -> None:
    async def main() -> None:
        msqid = queue()
        got = []

        async def receive(number: int, scope: anyio.CancelScope) -> None:
            with scope:
                got.append((number, await posix.msgrcv(msqid, 16)))

        async with anyio.create_task_group() as tasks:
            scopes = [anyio.CancelScope() for _ in range(3)]
            for number, scope in enumerate(scopes):
                tasks.start_soon(receive, number, scope)
                await anyio.sleep(1)
            scopes[0].cancel()
            for data in (b"a", b"b", b"c"):
                with pytest.raises(StopIteration):  # at once, before they run
                    posix.msgsnd(msqid, 1, data).send(None)
            status = posix.msgctl(msqid, posix.IPC_STAT)
            assert status is not None
            assert status.msg_qnum == 1
        assert sorted(got) == [(1, (1, b"a")), (2, (1, b"b"))]
        assert await receive_all(msqid) == [b"c"]

    run(main, quantum=32)


def test_ipc_set_changes_the_limit_and_lets_in_who_fits(run: Run) -> None:
    async def main() -> None:
        msqid = queue()
        await anyio.sleep(5)
        status = posix.msgctl(msqid, posix.IPC_STAT)
        assert status is not None
        posix.msgctl(msqid, posix.IPC_SET, status._replace(msg_qbytes=2))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(posix.msgsnd, msqid, 1, b"xyz")
            await anyio.sleep(1)
            assert not nobody_waits()
            posix.msgctl(msqid, posix.IPC_SET, status)
        assert await posix.msgrcv(msqid, 16) == (1, b"xyz")
        told = posix.msgctl(msqid, posix.IPC_STAT)
        assert told is not None
        assert is_now(told.msg_ctime)

    run(main)


# -- watching


def test_the_tap_is_told_calls_and_results(run: Run) -> None:
    told: list[tuple[str, object, object]] = []

    def listen(event: Event) -> None:
        if isinstance(event, SystemCall):
            told.append((event.call, event.args, event.result))

    async def main() -> None:
        msqid = queue()
        await posix.msgsnd(msqid, 3, b"x")
        await posix.msgrcv(msqid, 16, -5)
        posix.msgctl(msqid, posix.IPC_RMID)

    run(main, observers=[listen])
    msqid = told[0][2]
    assert told == [
        ("msgget", (KEY, 0o1600), msqid),
        ("msgsnd", (msqid, 3, b"x", 0), None),
        ("msgrcv", (msqid, 16, -5, 0), (3, b"x")),
        ("msgctl", (msqid, 0), None),
    ]


@pytest.mark.simulated("a report of the deadlock")
def test_a_deadlock_report_names_queue_and_call(run: Run) -> None:
    async def main() -> None:
        await posix.msgrcv(queue(), 16, 7)

    with pytest.raises(Deadlock) as caught:
        run(main)
    assert "msgrcv(0, 16, 7, 0)" in str(caught.value)
    assert "msg:[0]" in str(caught.value)

"""Every wait for a lock is cancelled, killed and met at the wrong moment: no lock stays behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.posix import (
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_SETLK,
    F_SETLKW,
    F_UNLCK,
    F_WRLCK,
    LOCK_EX,
    LOCK_NB,
    LOCK_SH,
    LOCK_UN,
    FileLock,
)
from tests.contract.queues import NAME
from tests.kernel.helpers import errno_name
from tests.pace import have_passed

Run = Callable[..., Any]
PATH = "/tmp/f"
SIGKILL, SIGSTOP, SIGCONT = 9, 19, 18
COUNT = 40


async def open_file() -> int:
    return await posix.open(PATH, posix.O_RDWR | posix.O_CREAT)


class Family:
    """The same three words for each of the kinds of lock."""

    def __init__(self, name: str, setting: int = 0, waiting: int = 0) -> None:
        self.name = name
        self._commands = setting, waiting

    async def lock(self, fd: int) -> None:
        if self.name == "flock":
            await posix.flock(fd, LOCK_EX)
        else:
            await posix.fcntl_lock(fd, self._commands[1], FileLock(F_WRLCK))

    async def unlock(self, fd: int) -> None:
        if self.name == "flock":
            await posix.flock(fd, LOCK_UN)
        else:
            await posix.fcntl_lock(fd, self._commands[0], FileLock(F_UNLCK))

    async def is_free(self, fd: int) -> bool:
        """It is taken, and stays so."""
        try:
            if self.name == "flock":
                await posix.flock(fd, LOCK_EX | LOCK_NB)
            else:
                await posix.fcntl_lock(fd, self._commands[0], FileLock(F_WRLCK))
        except BlockingIOError:
            return False
        return True


of_processes = pytest.mark.simulated("record locks of processes need isolation='process'")
fair = pytest.mark.simulated("an order: who waits for a lock tries again by time")

FAMILIES = [
    Family("flock"),
    pytest.param(Family("posix", F_SETLK, F_SETLKW), marks=of_processes),
    Family("ofd", F_OFD_SETLK, F_OFD_SETLKW),
]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: str(family.name))


async def child_that_locks(family: Family, then: Callable[[], Awaitable[object]]) -> None:
    await family.lock(await open_file())
    await then()


async def for_ever() -> None:
    await anyio.sleep(1000)


@each_family
def test_a_call_that_is_cancelled_before_it_begins_locks_nothing(run: Run, family: Family) -> None:
    async def child() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await family.lock(3)

    async def main() -> None:
        assert await open_file() == 3
        posix.fork(child)
        await posix.waitpid(-1)
        assert await family.is_free(await open_file())

    run(main)


@each_family
@pytest.mark.parametrize("killed", [False, True], ids=["cancelled", "killed"])
def test_a_sleeper_that_goes_away_leaves_the_line(run: Run, family: Family, killed: bool) -> None:
    """Who stands behind it gets the lock when the holder lets go."""
    got: list[int] = []

    async def waiter(patience_s: float) -> None:
        fd = await open_file()
        with anyio.move_on_after(patience_s):
            await family.lock(fd)
            got.append(posix.getpid())

    async def main() -> None:
        fd = await open_file()
        await family.lock(fd)
        first = posix.fork(waiter, 1000 if killed else 1)
        await anyio.sleep(0.1)
        second = posix.fork(waiter, 1000)
        await anyio.sleep(2)
        if killed:
            posix.kill(first, SIGKILL)
        await family.unlock(fd)
        await posix.waitpid(second)
        assert got == [second]
        assert await family.is_free(fd)

    run(main)


@each_family
def test_a_killed_holder_keeps_nothing(run: Run, family: Family) -> None:
    async def main() -> None:
        pid = posix.fork(child_that_locks, family, for_ever)
        fd = await open_file()
        await anyio.sleep(1)
        assert not await family.is_free(fd)
        posix.kill(pid, SIGKILL)
        assert await family.is_free(fd)

    run(main)


@each_family
@pytest.mark.parametrize("killed", [False, True], ids=["cancelled", "killed"])
def test_who_is_let_in_and_goes_away_at_once_keeps_nothing(
    run: Run, family: Family, killed: bool
) -> None:
    """The lock is released and its next owner cancelled in one turn."""
    scopes: list[anyio.CancelScope] = []
    got: list[int] = []

    async def waiter() -> None:
        fd = await open_file()
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await family.lock(fd)
            got.append(posix.getpid())

    async def main() -> None:
        fd = await open_file()
        await family.lock(fd)
        first = posix.fork(waiter)
        await anyio.sleep(0.1)
        second = posix.fork(waiter)
        await anyio.sleep(0.1)
        await family.unlock(fd)
        if killed:
            posix.kill(first, SIGKILL)
        else:
            scopes[0].cancel()
        await posix.waitpid(first)
        await posix.waitpid(second)
        assert second in got
        assert await family.is_free(fd)

    run(main)


@fair
@each_family
def test_nobody_snatches_a_lock_from_who_was_let_in(run: Run, family: Family) -> None:
    order: list[int] = []

    async def waiter() -> None:
        fd = await open_file()
        await family.lock(fd)
        order.append(posix.getpid())

    async def main() -> list[int]:
        fd = await open_file()
        await family.lock(fd)
        pids = []
        for _ in range(COUNT):
            pids.append(posix.fork(waiter))
            await anyio.sleep(0.1)
        await family.unlock(fd)
        assert not await family.is_free(fd)
        await family.lock(fd)
        order.append(posix.getpid())
        for _ in pids:
            await posix.waitpid(-1)
        return pids

    pids = run(main)
    assert order == [*pids, 2]


@fair
@each_family
def test_who_was_stopped_asks_again_at_the_end_of_the_line(run: Run, family: Family) -> None:
    order: list[int] = []

    async def waiter() -> None:
        await family.lock(await open_file())
        order.append(posix.getpid())

    async def main() -> tuple[int, int]:
        fd = await open_file()
        await family.lock(fd)
        first = posix.fork(waiter)
        await anyio.sleep(0.1)
        second = posix.fork(waiter)
        await anyio.sleep(0.1)
        posix.kill(first, SIGSTOP)
        await anyio.sleep(0.1)
        posix.kill(first, SIGCONT)
        await anyio.sleep(0.1)
        await family.unlock(fd)
        await posix.waitpid(first)
        await posix.waitpid(second)
        return second, first

    assert list(run(main)) == order


@each_family
def test_a_process_that_waits_for_itself_is_killed_and_others_go_on(
    run: Run, family: Family
) -> None:
    """Its end releases what its own sleeper waits for; who stands behind that one gets it."""

    async def child() -> None:
        f, g = await open_file(), await open_file()
        await family.lock(f)
        async with anyio.create_task_group() as group:
            group.start_soon(family.lock, g)
            group.start_soon(family.lock, g)

    async def heir() -> None:
        await family.lock(await open_file())

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        behind = posix.fork(heir)
        await anyio.sleep(1)
        if family.name != "posix":  # a process is not in its own way: there it has ended
            posix.kill(pid, SIGKILL)
        assert await posix.waitpid(behind) == (behind, 0)
        await posix.waitpid(pid)
        assert await family.is_free(await open_file())

    run(main)


@pytest.mark.parametrize(
    ("flags", "outcome"), [(0, "EINTR"), (posix.SA_RESTART, "ok")], ids=["plain", "restart"]
)
@each_family
def test_a_handler_ends_the_wait_or_has_it_begin_anew(
    run: Run, family: Family, flags: int, outcome: str
) -> None:
    got: list[str] = []

    async def child() -> None:
        posix.signal(10, lambda sig, info: got.append("handled"), flags)
        try:
            await family.lock(await open_file())
            got.append("ok")
        except InterruptedError:
            got.append("EINTR")

    async def main() -> None:
        fd = await open_file()
        await family.lock(fd)
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, 10)
        await anyio.sleep(1)
        await family.unlock(fd)
        await posix.waitpid(pid)
        assert await family.is_free(fd)

    run(main)
    assert got == ["handled", outcome]


def test_arguments_that_are_none(run: Run) -> None:
    async def main() -> None:
        fd = await open_file()
        with pytest.raises(ValueError, match="unrecognized lockf argument"):
            await posix.lockf(fd, LOCK_NB)
        with pytest.raises(ValueError, match="not for command 1"):
            await posix.fcntl_lock(fd, 1, FileLock(F_WRLCK))
        with pytest.raises(OverflowError):
            await posix.fcntl_lock(fd, F_OFD_SETLK, FileLock(F_WRLCK, 0, 2**63))
        with pytest.raises(TypeError):
            await posix.flock(fd, None)  # type: ignore[arg-type]
        lock = FileLock(F_WRLCK, 0, 5, 5)
        assert await posix.fcntl_lock(fd, F_OFD_SETLK, lock) == lock

    run(main)


@pytest.mark.parametrize("family", [pytest.param("F", marks=of_processes), "F_OFD"])
def test_what_is_open_neither_to_read_nor_to_write_gets_no_lock(run: Run, family: str) -> None:
    """Measured: access mode 3 may ask, and give up what it cannot have."""
    ask, take, wait = (getattr(posix, f"{family}_{name}") for name in ("GETLK", "SETLK", "SETLKW"))

    async def main() -> None:
        f = await posix.open("f", posix.O_CREAT | 3)
        for operation in (posix.LOCK_SH, posix.LOCK_EX, posix.LOCK_EX | posix.LOCK_NB):
            with pytest.raises(OSError, match="Bad file descriptor"):
                await posix.flock(f, operation)
        await posix.flock(f, posix.LOCK_UN)
        for kind in (posix.F_RDLCK, posix.F_WRLCK):
            wanted, free = posix.FileLock(kind), posix.FileLock(posix.F_UNLCK)
            for command in (take, wait):
                with pytest.raises(OSError, match="Bad file descriptor"):
                    await posix.fcntl_lock(f, command, wanted)
            assert await posix.fcntl_lock(f, ask, wanted) == free
        assert await posix.fcntl_lock(f, take, free) == free

    run(main)


def test_an_upgrade_that_is_cancelled_has_lost_the_lock(run: Run) -> None:
    """flock(2): converting gives up the old lock first."""

    async def main() -> None:
        f, g, h = await open_file(), await open_file(), await open_file()
        await posix.flock(f, LOCK_SH)
        await posix.flock(g, LOCK_SH)
        with anyio.move_on_after(1):
            await posix.flock(f, LOCK_EX)
        await posix.flock(g, LOCK_UN)
        await posix.flock(h, LOCK_EX | LOCK_NB)

    run(main)


@of_processes
def test_a_lock_waits_whatever_the_time_limits_of_its_socket(run: Run) -> None:
    async def main() -> None:
        start = anyio.current_time()
        a, _ = posix.socketpair()
        timeval = (1).to_bytes(8, "little") + bytes(8)
        posix.setsockopt(a, 1, 20, timeval)  # SO_RCVTIMEO
        posix.set_blocking(a, False)

        async def child() -> None:
            await posix.lockf(a, LOCK_EX)
            await anyio.sleep(5)

        posix.fork(child)
        await anyio.sleep(0.5)
        await posix.lockf(a, LOCK_EX)
        assert have_passed(start, 5)

    run(main)


async def is_shared(a: int, b: int) -> bool:
    await posix.flock(a, LOCK_EX)
    try:
        await posix.flock(b, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        posix.close(a)
        posix.close(b)
    return False


@pytest.mark.simulated("pidfd and signalfd need isolation='process'")
def test_a_process_has_one_inode_and_timers_and_signals_that_of_all(run: Run) -> None:
    async def main() -> None:
        assert await is_shared(posix.pidfd_open(2), posix.pidfd_open(2))
        assert not await is_shared(posix.pidfd_open(2), posix.pidfd_open(1))
        assert await is_shared(posix.timerfd_create(1), posix.signalfd(-1, [10]))

    run(main)


def test_which_objects_have_one_inode(run: Run) -> None:
    """Measured: a directory and a queue have one, and epoll and eventfd have the same."""

    async def main() -> None:
        posix.mkdir("/tmp/d")
        directory = await posix.open("/tmp/d", posix.O_RDONLY)
        assert await is_shared(directory, await posix.open("/tmp/d", posix.O_RDONLY))
        queue = posix.mq_open(NAME, posix.O_RDWR | posix.O_CREAT)
        again = posix.mq_open(NAME, posix.O_RDWR)
        posix.mq_unlink(NAME)
        assert await is_shared(queue, again)
        assert await is_shared(posix.eventfd(0), posix.epoll_create1())
        assert not await is_shared(*posix.socketpair())
        assert await is_shared(*posix.pipe())

    run(main)


# -- deadlocks


def deadlock(run: Run, main: Callable[..., Any], *args: Any) -> str:
    with pytest.raises(asyncipc.Deadlock) as caught:
        run(main, *args)
    return str(caught.value)


@pytest.mark.simulated("a deadlock that is seen")
@each_family
def test_two_locks_in_opposite_order_are_refused_or_reported(run: Run, family: Family) -> None:
    errors: list[str] = []

    async def child(first: str, second: str) -> None:
        await family.lock(await posix.open(first, posix.O_RDWR | posix.O_CREAT))
        await anyio.sleep(1)
        try:
            await family.lock(await posix.open(second, posix.O_RDWR | posix.O_CREAT))
        except OSError as error:
            errors.append(errno_name(error.errno or 0))

    async def main() -> None:
        posix.fork(child, "/tmp/a", "/tmp/b")
        posix.fork(child, "/tmp/b", "/tmp/a")
        await posix.wait()
        await posix.wait()

    if family.name == "posix":
        run(main)
        assert errors == ["EDEADLK"]
        return
    text = deadlock(run, main)
    words = "flock" if family.name == "flock" else "OFD lock 0-end"
    rows = [line.split("  ") for line in text.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert [row[:2] + row[3:5] for row in cells[3:5]] == [
        ["3", "child", f"{words} on /tmp/b", "pid 4 fd 3"],
        ["4", "child", f"{words} on /tmp/a", "pid 3 fd 3"],
    ]
    assert text.splitlines()[5:] == [
        "cycle: pid 3 -> pid 4 -> pid 3",
        "hint: everyone in it waits for a lock of the next: take them in one order",
    ]


@pytest.mark.simulated("a deadlock that is seen")
def test_a_circle_of_processes_that_is_too_long_for_the_kernel_is_reported(run: Run) -> None:
    """It looks at no more than twelve (MAX_DEADLK_ITERATIONS)."""
    size = 13

    async def child(number: int) -> None:
        fd = await open_file()
        await posix.lockf(fd, LOCK_EX, 1, number)
        await anyio.sleep(1 + number)
        await posix.lockf(fd, LOCK_EX, 1, (number + 1) % size)

    async def main() -> None:
        for number in range(size):
            posix.fork(child, number)
        for _ in range(size):
            await posix.wait()

    text = deadlock(run, main)
    assert "record lock 1-1 on /tmp/f" in text
    circle = [*range(3, 3 + size), 3]
    assert f"cycle: {' -> '.join(f'pid {pid}' for pid in circle)}" in " ".join(text.split())


@pytest.mark.simulated("a deadlock that is seen")
def test_a_process_that_opens_a_file_twice_locks_itself_out(run: Run) -> None:
    async def main() -> None:
        await posix.flock(await open_file(), LOCK_EX)
        await posix.flock(await open_file(), LOCK_EX)

    text = " ".join(deadlock(run, main).split())
    assert "waits for a lock that it has itself, by its descriptor 3: the lock belongs" in text
    assert text.endswith("to the open file, so that two openings exclude each other")

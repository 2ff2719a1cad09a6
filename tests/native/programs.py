"""Programs for children that are processes of the operating system: functions of a module."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from signal import SIGTERM, SIGUSR1, SIGUSR2
from typing import Any

import anyio

from asyncipc import posix
from asyncipc.posix import SIG_BLOCK, SIG_DFL, SignalInfo
from asyncipc.runtime.process import current

Program = Callable[..., Any]


async def tells_its_pids(w: int) -> None:
    await posix.write(w, b"%d %d %d" % (os.getpid(), posix.getpid(), posix.getppid()))


async def returns() -> None:
    pass


async def exits_with(code: int) -> None:
    posix._exit(code)


async def leaves_by_system_exit(code: int) -> None:
    sys.exit(code)


async def raises(error: Exception) -> None:
    raise error


class Unsendable(Exception):
    """It can't be made again from what it keeps."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("one and two")


async def raises_what_cannot_be_sent() -> None:
    raise Unsendable(1, 2)


async def sleeps() -> None:
    await anyio.sleep(3600)


async def says_ready_and_sleeps(w: int) -> None:
    await posix.write(w, b"!")
    await anyio.sleep(3600)


async def spins(w: int) -> None:
    """Never lets its event loop have a turn."""
    await posix.write(w, b"!")
    while True:
        pass


async def computes(rounds: int) -> None:
    for _ in range(rounds):
        sum(range(1000))


async def echoes() -> None:
    """From descriptor 0 to descriptor 1."""
    while data := await posix.read(0, 4096):
        await posix.write(1, data.upper())


async def copies(r: int, w: int) -> None:
    while data := await posix.read(r, 4096):
        await posix.write(w, data)


async def reads_for_ever(r: int) -> None:
    while True:
        await posix.read(r, 4096)


async def writes_for_ever(w: int) -> None:
    while True:
        await posix.write(w, bytes(4096))


async def tells_who_signals(w: int, signals: tuple[int, ...]) -> None:
    """A line for each that comes."""
    came: list[SignalInfo] = []
    for number in signals:
        posix.signal(number, lambda _, info: came.append(info))
    posix.pthread_sigmask(SIG_BLOCK, signals)  # until it is there to be told
    await posix.write(w, b"ready\n")
    while True:
        try:
            await posix.sigsuspend([])
        except InterruptedError:
            for info in came:
                line = f"{info.si_signo} {info.si_pid} {info.si_code} {info.si_value}\n"
                await posix.write(w, line.encode())
            came.clear()


async def is_interrupted(r: int, w: int, flags: int) -> None:
    posix.signal(SIGUSR1, lambda *_: None, flags)
    await posix.write(w, b"!")
    try:
        told = await posix.read(r, 100)
    except InterruptedError:
        told = b"EINTR"
    await posix.write(w, told)


async def signals_itself(number: int) -> None:
    posix.kill(posix.getpid(), number)
    await anyio.sleep(3600)


async def handles_its_own_signal_before_kill_returns(w: int) -> None:
    came: list[int] = []
    posix.signal(SIGUSR1, lambda number, _: came.append(number))
    posix.kill(posix.getpid(), SIGUSR1)
    await posix.write(w, b"%d" % len(came))


async def tells_what_it_inherited(w: int) -> None:
    ignored = posix.getsignal(SIGTERM) is not SIG_DFL
    handled = posix.getsignal(SIGUSR2) is not SIG_DFL
    blocked = SIGUSR1 in posix.pthread_sigmask(SIG_BLOCK, ())
    line = f"{ignored} {handled} {blocked} {posix.umask(0):o} {current().parking.name}"
    await posix.write(w, line.encode())


async def tells_its_table(w: int) -> None:
    table = current().process.table
    entries = [f"{entry.fd}{'x' if entry.cloexec else ''}" for entry in table]
    await posix.write(w, " ".join(entries).encode())


async def executes(w: int) -> None:
    posix.fcntl(w, posix.F_SETFD, 0)
    posix.execv(tells_its_pids, w)


async def leaves_an_orphan(w: int, orphan: Program) -> None:
    posix.fork(orphan, w)


async def lives_on_as_an_orphan(w: int) -> None:
    while posix.getppid() != int(os.environ["ASYNCIPC_TEST_ANCESTOR"]):
        await anyio.sleep(0.01)
    await posix.write(w, b"adopted")


async def fails_as_an_orphan(w: int) -> None:
    raise ValueError("nobody asked")


async def waits_for_failing_child() -> None:
    pid = posix.fork(raises, ValueError("somebody asked"))
    await posix.waitpid(pid)


async def leads_a_group(w: int, child: Program) -> None:
    posix.setsid()
    posix.fork(child, w)
    await posix.write(w, b"%d %d\n" % (posix.getpgrp(), posix.getsid(0)))
    await anyio.sleep(3600)


async def prints(text: str) -> None:
    await posix.write(1, text.encode())


async def writes_at_the_offset(fd: int) -> None:
    await posix.write(fd, b"child")


async def breeds(depth: int, w: int) -> None:
    """A tree of processes that never ends by itself."""
    if depth:
        posix.fork(breeds, depth - 1, w)
        posix.fork(breeds, depth - 1, w)
    await posix.write(w, b"!")
    await anyio.sleep(3600)


async def signals_its_parent() -> None:
    posix.kill(posix.getppid(), SIGUSR1)


async def tells_where_it_is(w: int) -> None:
    await posix.write(w, posix.getcwd().encode())


async def says_that_it_runs(w: int, program: Program, *args: object) -> None:
    await posix.write(w, b"!")
    await program(*args)


async def connects_and_says_who_it_is(name: bytes) -> None:
    fd = posix.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    await posix.connect(fd, name)
    await posix.send(fd, b"%d" % os.getpid())
    assert await posix.recv(fd, 9) == b""

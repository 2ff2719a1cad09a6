"""What only the model could change is refused: whose a process is, who gets SIGIO, SIGPIPE."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

import asyncipc
from asyncipc import Native, Simulation, Unsupported, posix
from asyncipc.posix import PR_GET_PDEATHSIG, PR_SET_PDEATHSIG, SIG_DFL
from tests.native import identity_programs as programs

Run = Callable[..., Any]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it stands on Linux")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


async def told_by(program: Callable[..., Any]) -> str:
    """What a child writes, which has to end with status 0."""
    r, w = posix.pipe()
    pid = posix.fork(program, w)
    posix.close(w)
    told = await posix.read(r, 4096)
    assert await posix.waitpid(pid) == (pid, 0)
    return told.decode()


# -- users


def test_between_tasks_all_are_the_interpreters_user_and_stay_it(run: Run) -> None:
    async def look() -> None:
        assert (posix.getuid(), posix.getgid()) == (os.getuid(), os.getgid())
        for call in (posix.setuid, posix.setgid):
            with pytest.raises(Unsupported, match=r"set.id.*isolation='process'"):
                call(posix.getuid())

    async def main() -> None:
        await look()
        pid = posix.fork(look)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_a_program_beside_the_first_has_the_same_user_and_umask(backend: str) -> None:
    seen: list[tuple[int, int, int]] = []

    async def look() -> None:
        seen.append((posix.getuid(), posix.getgid(), posix.umask(0)))

    async def main() -> None:
        await look()
        asyncipc.current_simulation().spawn(look)

    former = os.umask(0o027)
    try:
        asyncipc.run(main, machine="native", backend=backend)  # type: ignore[arg-type]
    finally:
        os.umask(former)
    assert seen == [(os.getuid(), os.getgid(), 0o027)] * 2


@needs_root
def test_a_child_becomes_somebody_else_for_the_operating_system(isolated: Run) -> None:
    told = isolated(told_by, programs.becomes_somebody_else)
    ids = [programs.NOBODY] * 8
    assert list(map(int, told.split())) == [signal.SIGTERM, *ids, 0, -1]


def test_the_runs_own_process_stays_whose_it_is(isolated: Run) -> None:
    async def main() -> None:
        for call in (posix.setuid, posix.setgid):
            with pytest.raises(Unsupported, match=r"set.id.*first process"):
                call(programs.NOBODY)

    before = os.getresuid(), os.getresgid()
    isolated(main)
    assert (os.getresuid(), os.getresgid()) == before


def test_the_runs_own_process_has_the_interpreters_umask(isolated: Run) -> None:
    async def main() -> int:
        return posix.umask(0)

    former = os.umask(0o027)
    try:
        assert isolated(main) == 0o027
    finally:
        os.umask(former)


# -- what a process wants of its kernel


def test_the_death_signal_between_tasks_is_the_models(run: Run) -> None:
    async def child() -> None:
        posix.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        await posix.nanosleep(3600)

    async def parent() -> None:
        posix.fork(child)
        await posix.nanosleep(0.5)

    async def main() -> None:
        posix.set_child_subreaper(True)
        parents = posix.fork(parent)
        assert await posix.waitpid(parents) == (parents, 0)
        assert (await posix.wait())[1] == signal.SIGTERM
        assert posix.prctl(PR_GET_PDEATHSIG) == 0

    run(main)


def test_a_subreaper_that_is_a_process_is_refused(isolated: Run) -> None:
    async def main() -> None:
        with pytest.raises(Unsupported, match="PR_SET_CHILD_SUBREAPER"):
            posix.set_child_subreaper(True)

    isolated(main)


def test_limits_of_descriptors_are_of_our_tables(run: Run) -> None:
    """And what finds no number there is closed: the fixture looks."""

    async def main() -> None:
        real = resource.getrlimit(resource.RLIMIT_NOFILE)
        posix.setrlimit(posix.RLIMIT_NOFILE, (4, 100))
        posix.dup(0)
        for make in (
            posix.pipe,
            posix.socketpair,
            posix.epoll_create1,
            lambda: posix.eventfd(0),
            lambda: posix.memfd_create("none"),
            lambda: posix.timerfd_create(time.CLOCK_MONOTONIC),
            lambda: posix.socket(socket.AF_INET, socket.SOCK_STREAM),
        ):
            with pytest.raises(OSError, match="Too many open files"):
                make()
        posix.close(2)
        for pair in (posix.pipe, posix.socketpair):  # one has a number, the other has none
            with pytest.raises(OSError, match="Too many open files"):
                pair()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == real

    run(main)


def test_limits_of_descriptors_are_inherited_by_a_process(isolated: Run) -> None:
    async def main() -> str:
        posix.setrlimit(posix.RLIMIT_NOFILE, (40, 100))
        return await told_by(programs.tells_its_limits)

    real = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert isolated(main) == f"40 100 {real[0]} {real[1]}"


# -- SIGIO


@pytest.mark.parametrize(
    ("command", "argument", "name"),
    [
        (posix.F_SETOWN, 1, "F_SETOWN"),
        (posix.F_SETSIG, signal.SIGUSR1, "F_SETSIG"),
        (posix.F_SETFL, posix.O_ASYNC, "O_ASYNC"),
    ],
)
def test_who_wants_sigio_is_refused_by_name(
    run: Run, command: int, argument: int, name: str
) -> None:
    async def main() -> None:
        for fd in (*posix.pipe(), *posix.socketpair()):
            with pytest.raises(Unsupported, match=name):
                posix.fcntl(fd, command, argument)

    run(main)


# -- SIGPIPE


def test_a_broken_pipe_signals_a_process_once(isolated: Run) -> None:
    async def main() -> None:
        told = "[3, 4, 5] <Handlers.SIG_IGN: 1>"
        assert await told_by(programs.counts_broken_pipes) == told

    isolated(main)


def test_a_broken_pipe_signals_the_runs_own_process_once(isolated: Run) -> None:
    async def main() -> bytes:
        r, w = posix.pipe()
        await programs.counts_broken_pipes(w)
        return await posix.read(r, 99)

    assert isolated(main).startswith(b"[3, 4, 5] ")


def test_who_has_the_default_back_dies_of_a_broken_pipe(isolated: Run) -> None:
    async def main() -> None:
        posix.signal(signal.SIGPIPE, SIG_DFL)
        pid = posix.fork(programs.writes_to_nobody)
        assert await posix.waitpid(pid) == (pid, signal.SIGPIPE)

    isolated(main)


@pytest.mark.parametrize("isolation", ["task", "process"])
def test_an_interpreter_that_sigpipe_would_kill_ignores_it_during_the_run(
    backend: str, isolation: Any
) -> None:
    async def main() -> None:
        with pytest.raises(BrokenPipeError):
            await programs.writes_to_nobody()

    former = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        asyncipc.run(main, machine=Native(isolation=isolation), backend=backend)  # type: ignore[arg-type]
        assert signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGPIPE, former)


def test_an_embedded_machine_ignores_it_as_long_as_it_is_there() -> None:
    import trio

    async def main() -> None:
        async with Simulation(machine=Native()):
            assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
            with pytest.raises(BrokenPipeError):
                await programs.writes_to_nobody()

    former = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        trio.run(main)
        assert signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGPIPE, former)


# -- descriptors that the operating system does not know


def test_what_has_no_number_of_the_operating_system_cannot_be_sent(isolated: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair()
        posix.pthread_sigmask(posix.SIG_BLOCK, [signal.SIGUSR1])
        r, _ = posix.pipe()
        for fd, name in ((1, "console"), (posix.signalfd(-1, [signal.SIGUSR1]), "signalfd")):
            with pytest.raises(Unsupported, match=rf"SCM_RIGHTS with .*{name}"):
                await posix.send_fds(a, [b"x"], [r, fd])
        await posix.send_fds(a, [b"y"], [r])
        data, fds, _, _ = await posix.recv_fds(b, 9, 9)
        assert (data, len(fds)) == (b"y", 1), "nothing of the refused ones has gone"

    isolated(main)

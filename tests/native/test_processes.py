"""Children that are processes of the operating system."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import Native, Simulation, posix
from asyncipc.kernel.readiness import IN
from asyncipc.posix import (
    SA_RESTART,
    SIG_BLOCK,
    SIG_IGN,
    WCONTINUED,
    WNOHANG,
    WUNTRACED,
    SignalInfo,
)
from tests.native import programs
from tests.native.conftest import children, descriptors

Run = Callable[..., Any]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it stands on Linux")


async def told_by(program: Callable[..., Any], *args: Any) -> str:
    """What a child writes until it has ended, which has to be with status 0."""
    r, w = posix.pipe()
    pid = posix.fork(program, w, *args)
    posix.close(w)
    told = b""
    while data := await posix.read(r, 4096):
        told += data
    posix.close(r)
    assert await posix.waitpid(pid) == (pid, 0)
    return told.decode()


async def status_of(program: Callable[..., Any], *args: Any) -> int:
    pid = posix.fork(program, *args)
    return (await posix.waitpid(pid))[1]


# -- birth and death


def test_a_child_is_another_process_and_its_parent_is_this_one(isolated: Run) -> None:
    pid, own, parent = isolated(told_by, programs.tells_its_pids).split()
    assert pid == own != str(os.getpid())
    assert parent == str(os.getpid())


def test_the_first_process_is_this_interpreter(isolated: Run) -> None:
    async def main() -> tuple[int, int, int, int]:
        return posix.getpid(), posix.getppid(), posix.getpgrp(), posix.getsid(0)

    assert isolated(main) == (os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0))


@pytest.mark.parametrize(
    ("program", "args", "code"),
    [
        (programs.returns, (), 0),
        (programs.exits_with, (7,), 7),
        (programs.exits_with, (256 + 3,), 3),
        (programs.leaves_by_system_exit, (5,), 5),
        (programs.raises, (ValueError("told"),), 1),
    ],
)
def test_the_status_is_how_the_program_ended(
    isolated: Run, program: Callable[..., Any], args: tuple[object, ...], code: int
) -> None:
    assert os.waitstatus_to_exitcode(isolated(status_of, program, *args)) == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_that_a_child_sends_itself_is_what_it_dies_of(
    isolated: Run, number: signal.Signals
) -> None:
    assert isolated(status_of, programs.signals_itself, number) & 0x7F == number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGRTMAX])
def test_a_signal_at_any_moment_of_a_childs_youth_is_not_lost(
    isolated: Run, number: signal.Signals
) -> None:
    async def main() -> None:
        for pause in (0.0, 0.05, 0.2):
            pid = posix.fork(programs.sleeps)
            await anyio.sleep(pause)
            posix.kill(pid, number)
            assert (await posix.waitpid(pid))[1] & 0x7F == number

    isolated(main)


def test_a_zombie_keeps_its_number_until_its_parent_asks(isolated: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(programs.returns)
        posix.close(w)
        await posix.read(r, 1)  # its end closes its copy
        posix.kill(pid, 0)
        assert await posix.waitpid(pid) == (pid, 0)
        with pytest.raises(ProcessLookupError):
            posix.kill(pid, 0)
        with pytest.raises(ChildProcessError):
            await posix.waitpid(pid)

    isolated(main)


def test_who_was_told_by_a_pidfd_need_not_wait(isolated: Run) -> None:
    async def main() -> None:
        pid = posix.fork(programs.exits_with, 4)
        fd = posix.pidfd_open(pid)
        await posix.poll([(fd, select.POLLIN)])
        assert await posix.waitpid(pid, WNOHANG) == (pid, 4 << 8)

    isolated(main)


def test_who_ignores_sigchld_has_no_zombies(isolated: Run) -> None:
    async def main() -> None:
        posix.signal(signal.SIGCHLD, SIG_IGN)
        pid = posix.fork(programs.returns)
        with pytest.raises(ChildProcessError):
            await posix.waitpid(pid)
        with pytest.raises(ProcessLookupError):
            posix.kill(pid, 0)

    isolated(main)


def test_the_run_ends_when_all_processes_have(isolated: Run) -> None:
    async def main() -> int:
        return posix.fork(programs.returns)

    pid = isolated(main)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# -- what a child fails with


def test_a_failure_that_nobody_asked_for_is_raised_at_the_end_with_its_traceback(
    isolated: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        posix.fork(programs.raises, ValueError("from afar"))

    with pytest.raises(ExceptionGroup, match="nobody waited") as group:
        isolated(main)
    (error,) = group.value.exceptions
    assert isinstance(error, ValueError)
    assert "in raises" in error.__notes__[0]
    assert "ValueError: from afar" in capfd.readouterr().err


def test_a_failure_that_somebody_asked_for_is_not_raised(isolated: Run) -> None:
    assert isolated(status_of, programs.raises, ValueError("asked")) == 1 << 8


def test_an_exception_that_cannot_be_sent_is_told_in_words(isolated: Run) -> None:
    async def main() -> None:
        posix.fork(programs.raises_what_cannot_be_sent)

    with pytest.raises(ExceptionGroup) as group:
        isolated(main)
    (error,) = group.value.exceptions
    assert isinstance(error, RuntimeError)
    assert "Unsendable: one and two" in str(error)


def test_a_grandchilds_failure_is_raised_unless_its_parent_has_asked(isolated: Run) -> None:
    async def main(program: Callable[..., Any], *args: object) -> None:
        assert await status_of(program, *args) == 0

    isolated(main, programs.waits_for_failing_child)
    with pytest.raises(ExceptionGroup) as group:
        isolated(main, programs.leaves_an_orphan, 1, programs.fails_as_an_orphan)
    assert [str(error) for error in group.value.exceptions] == ["nobody asked"]


def test_what_no_interpreter_can_find_is_refused_before_there_is_a_process(isolated: Run) -> None:
    async def inner() -> None: ...

    async def main() -> None:
        before = children(), descriptors()
        for program in (inner, lambda: inner()):
            with pytest.raises(TypeError, match="make it a function of a module"):
                posix.fork(program)
        with pytest.raises(TypeError, match="an argument of raises cannot be sent"):
            posix.fork(programs.raises, sys._getframe())  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="make it a function of a module"):
            async with asyncipc.open_process(inner):
                raise AssertionError
        assert (children(), descriptors()) == before

    isolated(main)


# -- what a child inherits


def test_ignored_signals_the_mask_and_the_umask_are_inherited_and_handlers_are_not(
    isolated: Run, backend: str
) -> None:
    async def main() -> str:
        posix.signal(signal.SIGTERM, SIG_IGN)
        posix.signal(signal.SIGUSR2, lambda *_: None)
        posix.pthread_sigmask(SIG_BLOCK, [signal.SIGUSR1])
        posix.umask(0o027)
        return await told_by(programs.tells_what_it_inherited)

    assert isolated(main) == f"True False True 27 {backend}"


def test_the_table_is_inherited_as_it_is(isolated: Run) -> None:
    async def main() -> str:
        r, w = posix.pipe()
        posix.dup2(r, 9)
        posix.fcntl(r, posix.F_SETFD, 0)
        posix.close(w)
        return await told_by(programs.tells_its_table)

    assert isolated(main) == "0 1 2 3 4x 5x 9"


def test_descriptors_of_one_open_file_share_its_offset_with_the_child(
    isolated: Run, tmp_path: Path
) -> None:
    path = str(tmp_path / "file")

    async def main() -> None:
        fd = await posix.open(path, os.O_RDWR | os.O_CREAT)
        await posix.write(fd, b"parent ")
        assert await status_of(programs.writes_at_the_offset, fd) == 0
        await posix.write(fd, b" parent")

    isolated(main)
    assert Path(path).read_text() == "parent child parent"


def test_the_working_directory_is_inherited_below_the_runs_root(
    backend: str, tmp_path: Path
) -> None:
    async def main() -> str:
        posix.mkdir("/tmp/here")
        posix.chdir("/tmp/here")
        return await told_by(programs.tells_where_it_is)

    machine = Native(isolation="process", root=str(tmp_path))
    told = asyncipc.run(main, machine=machine, backend=backend)  # type: ignore[arg-type]
    assert told == "/tmp/here"


def test_exec_keeps_the_process_and_replaces_the_program(isolated: Run) -> None:
    pid, own, _ = isolated(told_by, programs.executes).split()
    assert pid == own


def test_what_a_child_writes_to_the_console_goes_to_the_runs_own(isolated: Run) -> None:
    written: list[bytes] = []

    async def main() -> None:
        assert await status_of(programs.prints, "x" * 100_000) == 0
        await posix.write(1, b"parent")

    isolated(main, console=written.append)
    assert b"".join(written) == b"x" * 100_000 + b"parent"


def test_a_child_writes_to_the_real_console_if_the_run_does(
    isolated: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert isolated(status_of, programs.prints, "hello") == 0
    assert capfd.readouterr().out == "hello"


# -- signals


def test_a_handler_is_told_who_has_sent(isolated: Run) -> None:
    async def main() -> list[str]:
        numbers = (signal.SIGUSR1, signal.SIGRTMIN + 1)
        r, w = posix.pipe()
        pid = posix.fork(programs.tells_who_signals, w, numbers)
        lines = [await posix.read(r, 100)]
        posix.kill(pid, signal.SIGUSR1)
        lines.append(await posix.read(r, 100))
        posix.sigqueue(pid, signal.SIGRTMIN + 1, -42)
        lines.append(await posix.read(r, 100))
        posix.kill(pid, signal.SIGTERM)
        assert (await posix.waitpid(pid))[1] == signal.SIGTERM
        return b"".join(lines).decode().split("\n")

    me = os.getpid()
    assert isolated(main) == ["ready", f"10 {me} 0 0", f"35 {me} -1 -42", ""]


@pytest.mark.parametrize(("flags", "told"), [(0, b"EINTR"), (SA_RESTART, b"data")])
def test_a_signal_from_outside_interrupts_a_call_or_begins_it_anew(
    isolated: Run, flags: int, told: bytes
) -> None:
    async def main() -> bytes:
        r, w = posix.pipe()
        back, forth = posix.pipe()
        pid = posix.fork(programs.is_interrupted, r, forth, flags)
        await posix.read(back, 1)
        posix.kill(pid, signal.SIGUSR1)
        if flags:
            await anyio.sleep(0.1)
            await posix.write(w, b"data")
        while not await posix.poll([(back, IN)], 0.2):  # it may have come before the read
            posix.kill(pid, signal.SIGUSR1)
        answer = await posix.read(back, 100)
        await posix.waitpid(pid)
        return answer

    assert isolated(main) == told


def test_a_signal_to_oneself_is_handled_before_kill_returns(isolated: Run) -> None:
    assert isolated(told_by, programs.handles_its_own_signal_before_kill_returns) == "1"


def test_the_first_process_hears_its_children(isolated: Run) -> None:
    async def main() -> tuple[int, SignalInfo]:
        came: list[SignalInfo] = []
        posix.signal(signal.SIGUSR1, lambda _, info: came.append(info))
        pid = posix.fork(programs.signals_its_parent)
        with pytest.raises(InterruptedError):
            await posix.pause()
        await posix.waitpid(pid)
        return pid, came[0]

    handlers = signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGCHLD)
    pid, info = isolated(main)
    assert (info.si_signo, info.si_pid) == (signal.SIGUSR1, pid)
    assert (signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGCHLD)) == handlers
    assert signal.pthread_sigmask(SIG_BLOCK, ()) == set()


def test_sigchld_tells_of_an_end(isolated: Run) -> None:
    async def main() -> tuple[int, SignalInfo]:
        posix.pthread_sigmask(SIG_BLOCK, [signal.SIGCHLD])
        pid = posix.fork(programs.exits_with, 3)
        info = await posix.sigwaitinfo([signal.SIGCHLD])
        assert await posix.waitpid(-1, WNOHANG) == (pid, 3 << 8)
        return pid, info

    pid, info = isolated(main)
    assert (info.si_pid, info.si_status) == (pid, 3)


def test_stops_and_continuations_of_a_child_are_told(isolated: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(programs.says_ready_and_sleeps, w)
        await posix.read(r, 1)
        posix.kill(pid, signal.SIGSTOP)
        _, status = await posix.waitpid(pid, WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert os.WSTOPSIG(status) == signal.SIGSTOP
        posix.kill(pid, signal.SIGCONT)
        _, status = await posix.waitpid(pid, WCONTINUED)
        assert os.WIFCONTINUED(status)
        posix.kill(pid, signal.SIGKILL)
        assert await posix.waitpid(pid, WUNTRACED) == (pid, signal.SIGKILL)

    isolated(main)


def test_a_signal_to_a_group_reaches_all_who_are_in_it(isolated: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(programs.leads_a_group, w, programs.says_ready_and_sleeps)
        posix.close(w)
        told = b""
        while b"!" not in told or b"\n" not in told:
            told += await posix.read(r, 100)
        assert told.replace(b"!", b"") == b"%d %d\n" % (pid, pid)
        assert posix.getpgid(pid) == pid
        posix.killpg(pid, signal.SIGTERM)
        assert await posix.read(r, 1) == b""  # the grandchild has gone, too
        assert await posix.waitpid(-pid) == (pid, signal.SIGTERM)

    isolated(main)


def test_a_signal_to_every_process_of_the_user_is_refused(isolated: Run) -> None:
    async def main() -> None:
        posix.kill(-1, 0)

    with pytest.raises(asyncipc.Unsupported, match=r"kill\(-1\)"):
        isolated(main)


def test_the_first_process_may_be_killed_and_its_interpreter_lives(isolated: Run) -> None:
    assert isolated(programs.signals_itself, signal.SIGTERM) is None


# -- families


def test_an_orphan_is_adopted_and_waited_for_by_the_run(isolated: Run) -> None:
    async def main() -> bytes:
        r, w = posix.pipe()
        pid = posix.fork(programs.leaves_an_orphan, w, programs.lives_on_as_an_orphan)
        posix.close(w)
        assert await posix.waitpid(pid) == (pid, 0)
        return await posix.read(r, 100)

    assert isolated(main) == b"adopted"


def test_nobody_of_a_family_outlives_a_run_that_fails(isolated: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        posix.fork(programs.breeds, 2, w)
        told = 0
        while told < 7:
            told += len(await posix.read(r, 100))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        isolated(main)


def test_a_child_that_never_yields_is_killed_with_the_run(isolated: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        posix.fork(programs.spins, w)
        await posix.read(r, 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        isolated(main)


# -- open_process, and embedded


def test_open_process_has_pipes_to_and_from_another_process(isolated: Run) -> None:
    async def main() -> tuple[bytes, int | None]:
        async with asyncipc.open_process(
            programs.echoes, stdin=asyncipc.PIPE, stdout=asyncipc.PIPE
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            await child.stdin.send(b"whisper")
            answer = await child.stdout.receive()
        return answer, child.returncode

    assert isolated(main) == (b"WHISPER", 0)


def test_a_cancelled_open_process_kills_and_reaps_its_child(isolated: Run) -> None:
    async def main() -> int | None:
        with anyio.move_on_after(0.5):
            async with asyncipc.open_process(programs.sleeps) as child:
                await anyio.sleep(3600)
        assert children() == before
        return child.returncode

    before = children()
    assert isolated(main) == -signal.SIGKILL


def test_an_embedded_simulation_starts_processes_and_waits_for_them(backend: str) -> None:
    async def main() -> int:
        async with Simulation(machine=Native(isolation="process")) as simulation:
            pid = simulation.spawn(programs.exits_with, 0)
            posix.kill(pid, 0)
        return pid

    before = children(), descriptors()
    pid = anyio.run(main, backend=backend)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert (children(), descriptors()) == before


# -- scripts

SCRIPT = """
import asyncipc
from asyncipc import posix

async def child(w: int) -> None:
    await posix.write(w, __name__.encode())

async def main() -> None:
    r, w = posix.pipe()
    posix.fork(child, w)
    posix.close(w)
    print((await posix.read(r, 100)).decode())

if __name__ == "__main__":
    asyncipc.run(main, machine=asyncipc.Native(isolation="process"))
"""


def run_python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("how", [["script.py"], ["-m", "script"]])
def test_a_script_runs_its_own_functions_as_children(how: list[str], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = run_python(*how, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("__mp_main__\n", "")


def test_what_was_typed_in_cannot_be_a_child(tmp_path: Path) -> None:
    done = run_python("-c", SCRIPT, cwd=tmp_path)
    assert "put the program into a file" in done.stderr

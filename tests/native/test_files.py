"""Files, FIFOs and devices of the operating system, with whom else it has."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import Unsupported, posix
from asyncipc.kernel.sockets.socket import AF_UNIX, SOCK_STREAM
from asyncipc.native.descriptor import RealDescriptor
from asyncipc.runtime.process import current

Run = Callable[..., Any]
NEW = os.O_CREAT | os.O_RDWR


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Where the operating system has the FIFO that programs call "f"."""
    return tmp_path / "root" / "tmp" / "f"


def number_of(fd: int) -> int:
    file = current().process.table[fd].file
    assert isinstance(file, RealDescriptor)
    return file.number


def shell(script: str, path: Path) -> subprocess.Popen[bytes]:
    """A process that is none of ours."""
    pipe = subprocess.PIPE
    return subprocess.Popen(["/bin/sh", "-c", script, "sh", str(path)], stdin=pipe, stdout=pipe)


# -- files


def test_what_is_written_is_in_the_real_file(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        f = await posix.open("f", NEW)
        await posix.write(f, b"octets")
        posix.fsync(f)
        assert (tmp_path / "root" / "tmp" / "f").read_bytes() == b"octets"

    run(main)


def test_flags_reach_the_operating_system_but_o_nonblock_which_is_ours(run: Run) -> None:
    async def main() -> None:
        f = await posix.open("f", NEW)
        await posix.write(f, b"first ")
        posix.lseek(f, 0)
        posix.fcntl(f, posix.F_SETFL, os.O_APPEND)
        await posix.write(f, b"last")
        assert posix.pread(f, 99, 0) == b"first last"
        for blocking in (True, False):
            posix.set_blocking(f, blocking)
            assert posix.get_blocking(f) == blocking
            real = fcntl.fcntl(number_of(f), fcntl.F_GETFL)
            assert real & (os.O_APPEND | os.O_NONBLOCK) == os.O_APPEND | os.O_NONBLOCK
        posix.fcntl(f, posix.F_SETFL, 0)
        assert not fcntl.fcntl(number_of(f), fcntl.F_GETFL) & os.O_APPEND

    run(main)


def test_flags_of_the_open_are_told_as_the_operating_system_tells_them(
    run: Run, tmp_path: Path
) -> None:
    async def main() -> None:
        for flags in (os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_RDONLY | os.O_NONBLOCK):
            f = await posix.open("f", flags | os.O_CREAT)
            real = os.open(tmp_path / "root" / "tmp" / "f", flags)
            assert posix.fcntl(f, posix.F_GETFL) == fcntl.fcntl(real, fcntl.F_GETFL)
            os.close(real)

    run(main)


def test_signals_of_readiness_are_refused_by_name_and_not_kept_by_a_file(run: Run) -> None:
    async def main() -> None:
        f, (r, _) = await posix.open("f", NEW), posix.pipe()
        with pytest.raises(Unsupported, match="O_ASYNC"):
            posix.fcntl(r, posix.F_SETFL, posix.O_ASYNC)
        posix.fcntl(f, posix.F_SETFL, posix.O_ASYNC)
        assert not posix.fcntl(f, posix.F_GETFL) & posix.O_ASYNC

    run(main)


def test_a_device_says_itself_what_it_can_do(backend: Any) -> None:
    async def main() -> None:
        full, null = await posix.open("/dev/full", os.O_RDWR), await posix.open("/dev/null", 0)
        with pytest.raises(OSError) as caught:
            await posix.write(full, b"x")
        assert caught.value.errno == errno.ENOSPC
        assert await posix.read(full, 3) == bytes(3)
        assert await posix.read(null, 3) == b""
        assert stat.S_ISCHR(posix.fstat(null).st_mode)
        with pytest.raises(TypeError, match="no channel"):
            asyncipc.open_channel(null)

    asyncipc.run(main, machine="native", backend=backend)


# -- FIFOs, with a process that is none of ours


def test_an_open_to_read_waits_for_another_process_and_takes_nothing_itself(
    run: Run, fifo: Path
) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        with shell('sleep 0.1; printf whole > "$1"', fifo):
            r = await posix.open("f", os.O_RDONLY)
            parts = []
            while part := await posix.read(r, 2):
                parts.append(part)
            assert b"".join(parts) == b"whole"

    run(main)


def test_a_writer_that_writes_nothing_and_stays_is_seen(run: Run, fifo: Path) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        with shell('exec 3> "$1"; read line', fifo) as process:
            r = await posix.open("f", os.O_RDONLY | os.O_NONBLOCK)
            again = await posix.open("f", os.O_RDONLY)
            with pytest.raises(BlockingIOError):
                await posix.read(r, 1)
            process.kill()
            assert await posix.read(again, 1) == b""

    run(main)


@pytest.mark.parametrize("script", ['cat "$1"', 'sleep 0.1; cat "$1"'])
def test_an_open_to_write_waits_for_another_process(run: Run, fifo: Path, script: str) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        with shell(script, fifo) as process:
            w = await posix.open("f", os.O_WRONLY)
            await posix.write(w, b"hello")
            posix.close(w)
            assert process.stdout is not None
            assert process.stdout.read() == b"hello"

    run(main)


@pytest.mark.parametrize("first", [os.O_RDONLY, os.O_WRONLY])
def test_tasks_of_one_interpreter_wake_each_other(
    run: Run, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    for name in ("PAUSE_MIN_NS", "PAUSE_MAX_NS"):
        monkeypatch.setattr(f"asyncipc.native.line.{name}", 10**15)

    async def child() -> None:
        await posix.open("f", first)

    async def main() -> None:
        posix.mkfifo("f")
        pids = [posix.fork(child) for _ in range(3)]
        await anyio.sleep(1)
        await posix.open("f", os.O_WRONLY ^ first)
        for pid in pids:
            assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_who_waits_to_write_keeps_the_fifo_whatever_it_is_called(run: Run) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        async with anyio.create_task_group() as tasks:

            async def writer() -> None:
                await posix.write(await posix.open("f", os.O_WRONLY), b"found")

            tasks.start_soon(writer)
            await anyio.sleep(1)
            posix.rename("f", "g")
            posix.mkfifo("f")
            r = await posix.open("g", os.O_RDONLY)
        assert await posix.read(r, 9) == b"found"

    run(main)


def test_the_file_of_a_socket_is_no_fifo_to_wait_for(run: Run) -> None:
    async def main() -> None:
        posix.bind(posix.socket(AF_UNIX, SOCK_STREAM), "s")
        with pytest.raises(OSError) as caught:
            await posix.open("s", os.O_WRONLY)
        assert caught.value.errno == errno.ENXIO

    run(main)


@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_WRONLY])
def test_a_cancelled_open_leaves_no_number_open(run: Run, access: int) -> None:
    async def main() -> None:
        posix.mkfifo("f")
        posix.stat("f")
        before = os.listdir("/proc/self/fd")
        with anyio.move_on_after(1) as scope:
            await posix.open("f", access)
        assert scope.cancelled_caught
        assert os.listdir("/proc/self/fd") == before
        with pytest.raises(OSError) as caught:
            await posix.open("f", os.O_WRONLY | os.O_NONBLOCK)
        assert caught.value.errno == errno.ENXIO

    run(main)

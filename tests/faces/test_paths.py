"""posix calls on paths: what they take, what they answer."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import anyio
import pytest

from asyncipc import posix

Run = Callable[..., Any]


def test_a_path_is_text_bytes_or_a_path_object(run: Run) -> None:
    async def main() -> None:
        posix.mkdir("d")
        posix.mkdir(b"d/e")
        posix.mkfifo(PurePosixPath("d/e/f"))
        assert posix.listdir("d") == ["e"]
        assert posix.listdir() == ["d"]
        posix.chdir(PurePosixPath("/tmp/d"))
        assert posix.getcwd() == "/tmp/d"
        posix.rename("e/f", b"\xff")
        assert sorted(posix.listdir()) == ["e", "\udcff"]
        assert stat.S_ISFIFO(posix.stat("\udcff").st_mode)
        posix.unlink(os.fsencode("\udcff"))
        posix.rmdir("e/")
        assert posix.listdir() == []

    run(main)


@pytest.mark.parametrize(
    "call", [posix.mkfifo, posix.mkdir, posix.rmdir, posix.unlink, posix.stat, posix.chdir]
)
def test_what_is_no_path_is_refused_before_the_call(run: Run, call: Callable[..., Any]) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="null byte"):
            call("a\0b")
        with pytest.raises(TypeError):
            call(3)
        with pytest.raises(FileNotFoundError):
            call("")

    run(main)


def test_open_refuses_what_is_no_path(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="null byte"):
            await posix.open("a\0b", os.O_RDWR)
        with pytest.raises(TypeError):
            await posix.open(None, os.O_RDWR)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            await posix.open("f", "r")  # type: ignore[arg-type]

    run(main)


@pytest.mark.simulated("times of virtual time")
def test_stat_answers_as_os_does_with_times_of_the_machines_clock(run: Run) -> None:
    async def main() -> None:
        posix.umask(0o022)
        before = posix.stat(".")
        await anyio.sleep(1.25)
        posix.mkfifo("f")
        made = posix.stat("f")
        assert isinstance(made, os.stat_result)
        assert stat.filemode(made.st_mode) == "prw-r--r--"
        assert (made.st_nlink, made.st_uid, made.st_gid, made.st_size) == (1, 0, 0, 0)
        assert made.st_mtime_ns - before.st_mtime_ns == 1_250_000_000
        assert made.st_mtime == made.st_mtime_ns / 1e9
        assert made[stat.ST_MTIME] == made.st_mtime_ns // 10**9
        assert posix.stat(".").st_mtime_ns == made.st_mtime_ns
        await anyio.sleep(1)
        posix.chmod("f", 0o4711)
        changed = posix.stat("f")
        assert stat.S_IMODE(changed.st_mode) == 0o4711
        assert changed.st_ctime_ns - made.st_ctime_ns == 10**9
        assert changed.st_mtime_ns == made.st_mtime_ns

    run(main)


def test_fstat_tells_the_type_of_what_a_descriptor_stands_for(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        a, _ = posix.socketpair()
        posix.mkfifo("f", 0o604)
        fifo = await posix.open("f", os.O_RDWR)
        modes = [stat.filemode(posix.fstat(fd).st_mode) for fd in (r, w, a, fifo, 0)]
        assert modes == ["prw-------", "prw-------", "srwxrwxrwx", "prw----r--", "crw--w----"]
        assert posix.fstat(r).st_ino == posix.fstat(w).st_ino != posix.fstat(a).st_ino
        assert posix.fstat(fifo) == posix.stat("f")
        posix.unlink("f")
        assert posix.fstat(fifo).st_nlink == 0
        with pytest.raises(OSError, match="Bad file descriptor"):
            posix.fstat(99)

    run(main)


def test_what_is_modelled_has_no_position_and_no_length_to_set(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        a, _ = posix.socketpair()
        for fd in (0, r, w, a):
            for call in (
                lambda fd: posix.lseek(fd, 0),
                lambda fd: posix.pread(fd, 1, 0),
                lambda fd: posix.pwrite(fd, b"x", 0),
            ):
                with pytest.raises(OSError, match="Illegal seek"):
                    call(fd)
            with pytest.raises(OSError, match="Invalid argument"):
                posix.ftruncate(fd, 0)
        with pytest.raises(OSError, match="Invalid argument"):
            posix.pread(r, 1, -1)
        with pytest.raises(OSError, match="Bad file descriptor"):
            posix.lseek(99, 0)

    run(main)


def test_the_umask_is_the_processs_own_and_inherited(run: Run) -> None:
    async def child() -> None:
        assert posix.umask(0o777) == 0o077
        assert posix.getcwd() == "/"
        posix.chdir("/tmp")

    async def main() -> None:
        assert posix.umask(0o7077) == 0o022
        posix.chdir("/")
        pid = posix.fork(child)
        assert await posix.waitpid(pid) == (pid, 0)
        assert posix.umask(0) == 0o077
        assert posix.getcwd() == "/"

    run(main)


def test_packet_mode_is_asked_for_with_a_flag_of_the_open_file(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe2(posix.O_DIRECT)
        await posix.write(w, b"hello")
        await posix.write(w, b"ab")
        assert await posix.read(r, 3) == b"hel"
        assert await posix.read(r, 9) == b"ab"
        r, w = posix.pipe()
        posix.fcntl(w, posix.F_SETFL, posix.O_DIRECT)
        await posix.write(w, bytes(5000))
        assert [len(await posix.read(r, 9000)) for _ in range(2)] == [4096, 904]

    run(main)

"""Regular files as processes share them: offsets, ends, names, vectors, /proc."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asyncipc import Unsupported, posix
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.socket import AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM

Run = Callable[..., Any]
NEW = os.O_CREAT | os.O_RDWR


def fails(number: int, call: Callable[..., object], *args: object) -> None:
    with pytest.raises(OSError) as caught:
        call(*args)
    assert caught.value.errno == number


async def wait_for(pid: int) -> None:
    assert await posix.waitpid(pid) == (pid, 0)


def test_the_offset_is_shared_through_dup_and_fork_and_not_by_another_open(run: Run) -> None:
    async def child(f: int) -> None:
        assert await posix.read(f, 2) == b"cd"

    async def main() -> None:
        f = await posix.open("f", NEW)
        await posix.write(f, b"abcdefgh")
        posix.lseek(f, 0)
        twin, other = posix.dup(f), await posix.open("f", os.O_RDONLY)
        assert await posix.read(twin, 2) == b"ab"
        await wait_for(posix.fork(child, f))
        assert await posix.read(f, 2) == b"ef"
        assert await posix.read(other, 2) == b"ab"

    run(main)


def test_writers_that_append_lose_nothing(run: Run) -> None:
    async def child(name: bytes) -> None:
        f = await posix.open("log", os.O_WRONLY | os.O_APPEND)
        for _ in range(50):
            assert await posix.write(f, name * 100) == 100
            await anyio.lowlevel.checkpoint()

    async def main() -> None:
        f = await posix.open("log", NEW)
        for pid in [posix.fork(child, name) for name in (b"a", b"b", b"c")]:
            await wait_for(pid)
        records = posix.pread(f, 1 << 20, 0)
        lines = [records[start : start + 100] for start in range(0, len(records), 100)]
        assert sorted(lines) == sorted([b"a" * 100, b"b" * 100, b"c" * 100] * 50)

    run(main)


def test_who_has_a_file_open_keeps_it_when_its_name_goes_or_changes_hands(run: Run) -> None:
    async def main() -> None:
        old, new = await posix.open("old", NEW), await posix.open("new", NEW)
        await posix.write(old, b"old")
        await posix.write(new, b"new")
        posix.rename("new", "old")
        assert (posix.fstat(old).st_nlink, posix.fstat(new).st_nlink) == (0, 1)
        assert (posix.pread(old, 9, 0), posix.pread(new, 9, 0)) == (b"old", b"new")
        posix.unlink("old")
        again = await posix.open("old", NEW | os.O_EXCL)
        assert posix.fstat(again).st_size == 0
        assert posix.pread(new, 9, 0) == b"new"

    run(main)


def test_a_hard_link_is_the_same_file(run: Run) -> None:
    async def main() -> None:
        f = await posix.open("a", NEW)
        posix.link("a", "b")
        posix.link("a", "c")
        posix.rename("b", "c")  # two names of one file: nothing happens
        assert sorted(posix.listdir()) == ["a", "b", "c"]
        posix.truncate("c", 7)
        assert posix.stat("a").st_size == 7
        assert posix.stat("b").st_ino == posix.fstat(f).st_ino
        assert posix.fstat(f).st_nlink == 3
        for name, left in (("a", 2), ("c", 1), ("b", 0)):
            posix.unlink(name)
            assert posix.fstat(f).st_nlink == left
        posix.mkdir("d")
        await posix.open("x", NEW)
        fails(errno.EPERM, posix.link, "d", "y")
        fails(errno.EEXIST, posix.link, "x", "d")
        fails(errno.ENOENT, posix.link, "x", "y/")
        fails(errno.ENOTDIR, posix.link, "x/", "y")
        fails(errno.ENOENT, posix.link, "none", "d")

    run(main)


def test_nothing_is_made_without_a_free_number(run: Run) -> None:
    async def main() -> None:
        posix.setrlimit(posix.RLIMIT_NOFILE, (3, 100))
        with pytest.raises(OSError, match="open files"):
            await posix.open("f", NEW)
        assert posix.listdir() == []

    run(main)


@pytest.mark.simulated("setuid")
def test_another_user_may_do_what_the_mode_says(run: Run) -> None:
    async def child() -> None:
        posix.setuid(1000)
        assert posix.access("f", os.R_OK)
        assert not posix.access("f", os.R_OK | os.W_OK)
        fails(errno.EACCES, posix.truncate, "f", 0)

    async def main() -> None:
        await posix.open("f", NEW, 0o644)
        await wait_for(posix.fork(child))

    run(main)


def test_what_truncate_and_access_answer(run: Run) -> None:
    async def main() -> None:
        await posix.open("f", NEW, 0o644)
        posix.mkdir("d")
        posix.mkfifo("p")
        fails(errno.EISDIR, posix.truncate, "d", 0)
        fails(errno.EINVAL, posix.truncate, "p", 0)
        fails(errno.EINVAL, posix.truncate, "none", -1)
        fails(errno.ENOENT, posix.truncate, "none", 0)
        assert posix.access("f", os.F_OK)
        assert posix.access("d", os.X_OK)
        assert not posix.access("f", os.X_OK)  # not even root
        assert not posix.access("f", 8)
        assert not posix.access("none", os.F_OK)

    run(main)


def test_fsync_is_for_files(run: Run) -> None:
    async def main() -> None:
        f = await posix.open("f", NEW)
        posix.fsync(f)
        posix.fdatasync(f)
        r, _ = posix.pipe()
        fails(errno.EINVAL, posix.fsync, r)
        fails(errno.EBADF, posix.fdatasync, 99)

    run(main)


def test_a_directory_can_be_opened_but_not_read(run: Run) -> None:
    async def main() -> None:
        posix.mkdir("d")
        d = await posix.open("d", os.O_RDONLY | os.O_DIRECTORY)
        assert stat.S_ISDIR(posix.fstat(d).st_mode)
        posix.fsync(d)
        with pytest.raises(IsADirectoryError):
            await posix.read(d, 1)
        with pytest.raises(OSError, match="Bad file"):
            await posix.write(d, b"x")
        fails(errno.EINVAL, posix.ftruncate, d, 0)

    run(main)


def test_lseek_looks_at_whence_before_it_looks_at_the_file(run: Run) -> None:
    async def main() -> None:
        for fd in (posix.pipe()[0], posix.socket(AF_UNIX, SOCK_STREAM)):
            has_no_offset(fd)
        for fd in (posix.eventfd(0), posix.epoll_create1()):
            assert [posix.lseek(fd, 7, whence) for whence in range(5)] == [0] * 5
            fails(errno.EINVAL, posix.lseek, fd, 0, 5)

    run(main)


def has_no_offset(fd: int) -> None:
    for whence in range(5):
        fails(errno.ESPIPE, posix.lseek, fd, 0, whence)
    for whence in (-1, 5):
        fails(errno.EINVAL, posix.lseek, fd, 0, whence)


@pytest.mark.simulated("pidfd needs isolation='process'")
def test_a_process_has_no_offset_and_no_direct_access(run: Run) -> None:
    async def main() -> None:
        process = posix.fork(posix.nanosleep, 10)
        fd = posix.pidfd_open(process)
        has_no_offset(fd)
        fails(errno.EINVAL, posix.fcntl, fd, posix.F_SETFL, posix.O_DIRECT)
        posix.kill(process, SIGKILL)
        await posix.wait()

    run(main)


@pytest.mark.simulated("offsets of a directory are its file system's, here a tmpfs's")
def test_a_directory_has_an_offset_that_nothing_is_read_from(run: Run) -> None:
    async def main() -> None:
        posix.mkdir("d")
        d = await posix.open("d", os.O_RDONLY)
        steps = ((5, 0), (5, 1), (0, 1), (-3, 1), (2**63 - 1, 0), (-(2**63 - 1), 1))
        assert [posix.lseek(d, *step) for step in steps] == [5, 10, 10, 7, 2**63 - 1, 0]
        for offset, whence in (-1, 0), (-1, 1), (0, 2), (0, 3), (0, 4), (0, 5):
            fails(errno.EINVAL, posix.lseek, d, offset, whence)
        posix.lseek(d, 2**63 - 1)
        fails(errno.EINVAL, posix.lseek, d, 1, os.SEEK_CUR)

    run(main)


# -- /proc


def test_a_descriptors_name_opens_what_it_stands_for(run: Run) -> None:
    async def main() -> None:
        f = await posix.open("f", NEW)
        await posix.write(f, b"kept")
        posix.unlink("f")
        again = await posix.open(f"/proc/self/fd/{f}", os.O_RDONLY)
        assert await posix.read(again, 9) == b"kept"
        assert posix.stat(f"/proc/{posix.getpid()}/fd/{f}").st_size == 4
        assert posix.listdir("/proc/self/fd") == ["0", "1", "2", "3", "4"]
        a, _ = posix.socketpair(AF_UNIX, SOCK_STREAM)
        for path, number in [
            (f"/dev/fd/{a}", errno.ENXIO),
            ("/proc/self/fd/99", errno.ENOENT),
            ("/proc/self/fd/03", errno.ENOENT),
            ("/proc/99/fd/0", errno.ENOENT),
            ("/proc/self/status", errno.ENOENT),
        ]:
            with pytest.raises(OSError) as caught:
                await posix.open(path, os.O_RDWR)
            assert caught.value.errno == number
        assert stat.S_ISSOCK(posix.stat(f"/proc/self/fd/{a}").st_mode)

    run(main)


@pytest.mark.simulated("the model has no node for it")
def test_the_node_of_a_socket_without_a_name_is_not_modelled(run: Run) -> None:
    async def main() -> None:
        a, _ = posix.socketpair(AF_UNIX, SOCK_STREAM)
        with pytest.raises(Unsupported, match="no name"):
            posix.chmod(f"/proc/self/fd/{a}", 0)

    run(main)


def test_a_pipes_end_that_was_opened_anew_keeps_the_pipe_alive(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        another = await posix.open(f"/proc/self/fd/{r}", os.O_WRONLY)
        posix.close(w)
        await posix.write(another, b"abc")
        assert await posix.read(r, 9) == b"abc"
        posix.close(another)
        assert await posix.read(r, 9) == b""

    run(main)


@pytest.mark.simulated("setuid")
def test_another_users_descriptors_are_not_to_be_opened(run: Run) -> None:
    async def child(parent: int) -> None:
        posix.setuid(1000)
        with pytest.raises(PermissionError):
            await posix.open(f"/proc/{parent}/fd/0", os.O_RDONLY)
        with pytest.raises(PermissionError):
            posix.listdir(f"/proc/{parent}/fd")

    async def main() -> None:
        await wait_for(posix.fork(child, posix.getpid()))

    run(main)


# -- vectors


def test_a_vector_is_read_and_written_as_one(run: Run) -> None:
    async def main() -> None:
        f = await posix.open("f", NEW)
        assert await posix.writev(f, [b"ab", bytearray(b"cd"), b""]) == 4
        one, two = bytearray(1), bytearray(5)
        assert posix.preadv(f, [one, two], 1) == 3
        assert (one, two) == (b"b", b"cd\0\0\0")
        assert posix.pwritev(f, [b"X", b"Y"], 3, posix.RWF_SYNC) == 2
        posix.lseek(f, 0)
        assert await posix.readv(f, [one, memoryview(two)]) == 5
        assert (one, two) == (b"a", b"bcXY\0")

    run(main)


def test_a_vector_into_a_pipe_is_one_write(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe2(os.O_NONBLOCK)
        await posix.write(w, bytes(15 * 4096))
        await posix.write(w, bytes(100))
        with pytest.raises(BlockingIOError):  # 4000 octets go in whole or not at all
            await posix.writev(w, [bytes(2000), bytes(2000)])
        await posix.read(r, 4096)
        assert await posix.writev(w, [bytes(2000), bytes(2000)]) == 4000

    run(main)


def test_a_vector_is_one_datagram_and_an_empty_one_is_none(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK)
        assert await posix.writev(a, [b"", b""]) == 0
        assert await posix.writev(a, [b"ab", b"cde"]) == 5
        one, two = bytearray(1), bytearray(3)
        assert await posix.readv(b, []) == 0
        assert await posix.readv(b, [one, two]) == 4
        assert (one, two) == (b"a", b"bcd")
        with pytest.raises(BlockingIOError):
            await posix.readv(b, [one])

    run(main)


def test_what_a_vector_is_refused_for(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        f = await posix.open("f", NEW)
        room = bytearray(1)
        for call in (posix.readv(w, []), posix.writev(r, []), posix.readv(w, [room] * 2000)):
            with pytest.raises(OSError, match="Bad file"):
                await call
        for call in (posix.readv(f, [room] * 1025), posix.writev(f, [b"x"] * 1025)):
            with pytest.raises(OSError, match="Invalid"):
                await call
        assert await posix.writev(f, [b"x"] * 1024) == 1024
        with pytest.raises(BufferError):
            await posix.readv(f, [b"x"])  # type: ignore[list-item]
        fails(errno.EINVAL, posix.preadv, f, [room], -2)
        fails(errno.EINVAL, posix.pwritev, f, [b"x"] * 1025, 0)
        fails(errno.ESPIPE, posix.preadv, r, [room], 0)
        fails(errno.EOPNOTSUPP, posix.preadv, f, [room], 0, 8)
        for offset, flags in ((-1, 0), (0, posix.RWF_APPEND)):
            with pytest.raises(Unsupported):
                posix.pwritev(f, [b"x"], offset, flags)

    run(main)


def test_a_long_vector_that_is_cancelled_returns_its_short_count(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        counts = []
        with anyio.move_on_after(1):
            counts.append(await posix.writev(w, [bytes(60000), b"x" * 40000]))
        assert counts == [65536]
        assert (await posix.read(r, 1 << 20)).endswith(b"x" * 5536)

    run(main)


def test_a_vector_that_is_cancelled_or_killed_in_its_sleep_takes_nothing(run: Run) -> None:
    async def child(r: int) -> None:
        await posix.readv(r, [bytearray(2), bytearray(2)])

    async def main() -> None:
        r, w = posix.pipe()
        with anyio.move_on_after(1) as scope:
            await posix.readv(r, [bytearray(9)])
        assert scope.cancelled_caught
        pid = posix.fork(child, r)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        await posix.write(w, b"kept")
        assert await posix.read(r, 9) == b"kept"
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)


def test_o_direct_is_for_pipes_and_for_files_that_were_opened(run: Run) -> None:
    async def main() -> None:
        opened = await posix.open("/dev/shm/f", os.O_CREAT | os.O_RDWR)
        for fd in (*posix.pipe(), opened):
            posix.fcntl(fd, posix.F_SETFL, posix.O_DIRECT)
            assert posix.fcntl(fd, posix.F_GETFL) & posix.O_DIRECT
        refusing = [
            *posix.socketpair(),
            posix.socket(socket.AF_INET, socket.SOCK_DGRAM),
            posix.eventfd(0),
            posix.epoll_create1(),
            posix.timerfd_create(time.CLOCK_MONOTONIC),
            posix.memfd_create("m"),
            await posix.open("/dev/shm", os.O_RDONLY),
        ]
        for fd in refusing:
            with pytest.raises(OSError, match="Invalid argument"):
                posix.fcntl(fd, posix.F_SETFL, posix.O_DIRECT)

    run(main)

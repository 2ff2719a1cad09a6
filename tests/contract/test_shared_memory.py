"""Shared memory between processes: names, maps over fork, faults, and what an end leaves."""

from __future__ import annotations

import errno
import mmap as real
import os
import struct
import sys
from array import array
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asyncipc import Unsupported, posix
from asyncipc.events import Event, SystemCall
from asyncipc.faces.memory_map import MemoryMap
from asyncipc.kernel.memory.address_space import AddressSpace
from asyncipc.kernel.memory.mapping import SIGBUS, SIGSEGV
from asyncipc.kernel.processes.holdings import held_by
from asyncipc.kernel.signals.disposition import SIGCONT, SIGKILL, SIGSTOP
from asyncipc.runtime.process import current

Run = Callable[..., Any]

CREATE = os.O_CREAT | os.O_RDWR
PAGE = 4096


def sized(name: str, size: int) -> int:
    fd = posix.shm_open(name, CREATE)
    posix.ftruncate(fd, size)
    return fd


async def status_of(pid: int) -> int:
    return (await posix.waitpid(pid))[1]


def test_two_processes_meet_at_a_name(run: Run) -> None:
    async def child() -> None:
        memory = posix.mmap(posix.shm_open("/m", os.O_RDWR), 0)
        assert memory[:5] == b"hello"
        memory[1:2] = b"E"

    async def main() -> None:
        memory = posix.mmap(sized("/m", 100), 100)
        memory[:5] = b"hello"
        assert await status_of(posix.fork(child)) == 0
        assert memory[:5] == b"hEllo"
        posix.shm_unlink("/m")

    run(main)


@pytest.mark.parametrize("handed_over", [True, False])
def test_a_parents_map_is_the_childs_own_in_the_child(run: Run, handed_over: bool) -> None:
    async def main() -> None:
        shared = posix.mmap(-1, 100, posix.MAP_SHARED)
        private = posix.mmap(-1, 100, posix.MAP_PRIVATE)
        shared[:5] = private[:5] = b"start"
        private.seek(3)

        async def child(*handed: MemoryMap) -> None:
            mine, copied = handed or (shared, private)
            assert copied.read(2) == b"rt"
            mine[:5] = copied[:5] = b"child"
            copied.close()
            assert copied.closed
            with pytest.raises(ValueError, match="mmap closed or invalid"):
                copied[0]

        pid = posix.fork(child, *((shared, private) if handed_over else ()))
        assert await status_of(pid) == 0
        assert shared[:5] == b"child"
        assert private[:5] == b"start"
        assert private.tell() == 3
        assert not private.closed

    run(main)


def test_a_copy_shows_the_moment_of_the_fork(run: Run) -> None:
    async def child(private: MemoryMap) -> None:
        await anyio.sleep(1)
        assert private[:3] == b"old"

    async def main() -> None:
        private = posix.mmap(-1, 100, posix.MAP_PRIVATE)
        private[:3] = b"old"
        pid = posix.fork(child, private)
        private[:3] = b"new"
        assert await status_of(pid) == 0

    run(main)


def test_an_update_is_lost_only_where_somebody_awaits_between_load_and_store(run: Run) -> None:
    async def count(memory: MemoryMap, offset: int) -> None:
        for _ in range(50):
            value = memory[offset]
            if offset:
                await anyio.lowlevel.checkpoint()
            memory[offset] = value + 1
            await anyio.lowlevel.checkpoint()

    async def main() -> None:
        memory = posix.mmap(-1, 10)
        pids = [posix.fork(count, memory, offset) for offset in (0, 0, 1, 1)]
        for pid in pids:
            await posix.waitpid(pid)
        assert memory[0] == 100
        assert memory[1] < 100

    run(main)


# -- faults


def test_an_access_behind_the_end_of_the_file_kills(run: Run) -> None:
    async def child(memory: MemoryMap) -> None:
        posix.ftruncate(3, PAGE)
        assert memory[PAGE - 1] == 0
        memory[PAGE]
        raise AssertionError("still here")

    async def main() -> None:
        memory = posix.mmap(sized("/m", 2 * PAGE), 0)
        assert await status_of(posix.fork(child, memory)) == SIGBUS
        assert memory[0] == 0

    run(main)


@pytest.mark.parametrize("deaf", ["blocked", "ignored"])
def test_a_fault_does_not_care_who_does_not_want_to_hear_of_it(run: Run, deaf: str) -> None:
    async def child(memory: MemoryMap) -> None:
        if deaf == "blocked":
            posix.pthread_sigmask(posix.SIG_BLOCK, [SIGBUS])
        else:
            posix.signal(SIGBUS, posix.SIG_IGN)
        memory[0] = 1

    async def main() -> None:
        fd = sized("/m", 10)
        memory = posix.mmap(fd, 0)
        posix.ftruncate(fd, 0)
        assert await status_of(posix.fork(child, memory)) == SIGBUS

    run(main)


def test_a_handler_may_mend_what_faulted_and_the_access_goes_on(run: Run) -> None:
    async def main() -> None:
        fd = sized("/m", PAGE)
        memory = posix.mmap(fd, 0)
        told = []

        def mend(signal: int, info: posix.SignalInfo) -> None:
            told.append((signal, info.si_code))
            posix.ftruncate(fd, PAGE)

        posix.signal(SIGBUS, mend)
        posix.ftruncate(fd, 0)
        memory[5:7] = b"ok"
        assert told == [(SIGBUS, 2)]
        assert await posix.read(fd, 7) == bytes(5) + b"ok"

    run(main)


def test_a_handler_that_mends_nothing_is_run_once(run: Run) -> None:
    ran = []

    async def child(memory: MemoryMap) -> None:
        posix.signal(SIGBUS, lambda signal, info: ran.append(signal))
        memory[0]

    async def main() -> None:
        fd = sized("/m", 10)
        memory = posix.mmap(fd, 0)
        posix.ftruncate(fd, 0)
        assert await status_of(posix.fork(child, memory)) == SIGBUS
        assert ran == [SIGBUS]

    run(main)


def test_memory_without_protection_kills_who_reads_it(run: Run) -> None:
    async def child() -> None:
        memory = posix.mmap(-1, 10, prot=posix.PROT_NONE)
        with pytest.raises(TypeError):
            memory[0] = 1
        memory[0]

    async def main() -> None:
        assert await status_of(posix.fork(child)) == SIGSEGV

    run(main)


# -- ends


def test_whatever_ends_a_process_unmaps_what_it_had(run: Run) -> None:
    async def child(fd: int, how: str) -> None:
        posix.mmap(fd, 0)
        posix.mmap(-1, 10)
        posix.close(fd)
        if how == "exit":
            posix._exit(0)
        if how == "exec":
            posix.execv(other)
        await anyio.sleep_forever()

    async def other() -> None:
        assert list(held_by(current().process, AddressSpace) or ()) == []

    async def main() -> None:
        fd = sized("/m", 10)
        file = current().process.table[fd].file
        for how in ("exit", "exec", "kill", "cancel"):
            pid = posix.fork(child, fd, how)
            await anyio.sleep(1)
            if how in {"kill", "cancel"}:
                assert file.holders == 2
                posix.kill(pid, SIGKILL if how == "kill" else 15)
                assert file.holders == 1
            await posix.waitpid(pid)
            assert file.holders == 1

    run(main)


def test_a_task_whose_process_is_over_touches_no_memory(run: Run) -> None:
    after = []

    async def child(memory: MemoryMap) -> None:
        async def late() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                memory[0] = 7
                after.append("went on")

        async with anyio.create_task_group() as group:
            group.start_soon(late)
            await anyio.sleep_forever()

    async def main() -> None:
        memory = posix.mmap(-1, 10)
        pid = posix.fork(child, memory)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        await posix.waitpid(pid)
        await anyio.sleep(1)
        assert memory[0] == 0
        assert after == []

    run(main)


def test_a_stopped_process_keeps_its_memory(run: Run) -> None:
    async def child(memory: MemoryMap) -> None:
        await posix.nanosleep(1)
        memory[0] += 1

    async def main() -> None:
        memory = posix.mmap(-1, 10)
        pid = posix.fork(child, memory)
        await anyio.sleep(0.5)
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(5)
        assert memory[0] == 0
        posix.kill(pid, SIGCONT)
        assert await status_of(pid) == 0
        assert memory[0] == 1

    run(main)


def test_a_map_outlives_descriptor_and_name(run: Run) -> None:
    async def main() -> None:
        fd = sized("/m", 10)
        memory = posix.mmap(fd, 0)
        posix.shm_unlink("/m")
        posix.close(fd)
        memory[:3] = b"abc"
        with pytest.raises(FileNotFoundError):
            posix.shm_open("/m", os.O_RDWR)
        with pytest.raises(FileNotFoundError):
            posix.shm_unlink("/m")
        assert posix.fstat(posix.shm_open("/m", CREATE | os.O_EXCL)).st_size == 0
        assert memory[:3] == b"abc"

    run(main)


# -- names


@pytest.mark.parametrize(
    ("name", "opening", "unlinking"),
    [
        ("", "EINVAL", "ENOENT"),
        ("/", "EINVAL", "ENOENT"),
        (".", "EINVAL", "EISDIR"),
        ("..", "EINVAL", "EISDIR"),
        ("/a/b", "EINVAL", "ENOENT"),
        ("/a/", "EINVAL", "ENOENT"),
        ("/" + "y" * 256, "ENAMETOOLONG", "ENAMETOOLONG"),
        ("/" + "y" * 255, "0", "0"),
        ("//a", "0", "0"),
        ("a", "0", "0"),
    ],
)
def test_names_are_those_of_glibc(run: Run, name: str, opening: str, unlinking: str) -> None:
    def outcome(call: Callable[..., object], *args: object) -> str:
        try:
            call(*args)
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return "0"

    async def main() -> None:
        assert outcome(posix.shm_open, name, CREATE) == opening
        assert outcome(posix.shm_unlink, name) == unlinking

    run(main)


def test_an_object_is_a_file_of_dev_shm_that_exec_closes(run: Run) -> None:
    async def main() -> None:
        fd = posix.shm_open("/m", CREATE | os.O_APPEND, 0o666)
        assert not posix.get_inheritable(fd)
        assert posix.fcntl(fd, posix.F_GETFL) == 0o502002
        assert posix.listdir("/dev/shm") == ["m"]
        assert posix.stat("/dev/shm/m").st_mode == 0o100644
        with pytest.raises(FileExistsError):
            posix.shm_open("/m", CREATE | os.O_EXCL)

    run(main)


@pytest.mark.simulated("the uid of a task is the model's own, files ask for the interpreter's")
def test_nobody_takes_anothers_name_away(run: Run) -> None:
    async def child() -> None:
        posix.setuid(1000)
        with pytest.raises(PermissionError) as caught:
            posix.shm_unlink("/m")
        assert caught.value.errno == 13  # glibc says EACCES where unlink says EPERM
        with pytest.raises(PermissionError):
            posix.shm_open("/m", os.O_RDONLY)

    async def main() -> None:
        posix.shm_open("/m", CREATE)
        assert await status_of(posix.fork(child)) == 0

    run(main)


# -- the surface of Python's mmap


def test_lengths_are_checked_as_python_does(run: Run) -> None:
    async def main() -> None:
        fd, empty = sized("/m", 2 * PAGE), sized("/e", 0)
        assert len(posix.mmap(fd, 0)) == 2 * PAGE
        assert len(posix.mmap(fd, 0, offset=PAGE)) == PAGE
        for args, options, error, text in (
            ((fd, 0), {"offset": 2 * PAGE}, ValueError, "offset is greater than file size"),
            ((fd, 2 * PAGE + 1), {}, ValueError, "length is greater than file size"),
            ((fd, 10), {"offset": 9000}, ValueError, "length is greater than file size"),
            ((empty, 0), {}, ValueError, "cannot mmap an empty file"),
            ((fd, -1), {}, OverflowError, "length must be positive"),
            ((fd, 1), {"offset": -PAGE}, OverflowError, "offset must be positive"),
            ((fd, 10), {"offset": 100}, OSError, "Invalid argument"),
            ((-1, 0), {}, OSError, "Invalid argument"),
            ((99, 10), {}, OSError, "Bad file descriptor"),
            ((-2, 10), {}, OSError, "Bad file descriptor"),
        ):
            with pytest.raises(error, match=text):
                posix.mmap(*args, **options)  # type: ignore[arg-type]

    run(main)


def script(memory: Any) -> list[object]:
    """What each of many accesses gives, or fails with."""

    def assign(index: Any, value: Any) -> None:
        memory[index] = value

    steps: list[Callable[[], object]] = [
        lambda: assign(slice(0, 6), b"abcdef"),
        lambda: (memory[0], memory[-1], memory[1:3], memory[0:6:2], memory[::-1], memory[5:2]),
        lambda: memory[10],
        lambda: memory[-11],
        lambda: memory["a"],
        lambda: assign(0, 256),
        lambda: assign(0, b"a"),
        lambda: assign(10, 1),
        lambda: assign(slice(8, 11), b"abc"),
        lambda: assign(slice(0, 4, 2), b"XY"),
        lambda: assign(slice(0, 2), "ab"),
        lambda: assign(slice(0, 2), bytearray(b"zz")),
        lambda: (list(memory)[:2], b"z" in memory, len(memory)),
        lambda: (memory.read(3), memory.tell(), memory.read(), memory.read(1)),
        lambda: memory.seek(11),
        lambda: (memory.seek(-3, 1), memory.tell(), memory.seek(-3, 2), memory.tell())[1::2],
        lambda: memory.seek(0, 3),
        lambda: memory.write(b"12345"),
        lambda: (memory.write(b"12\n"), memory.tell()),
        lambda: memory.write_byte(3),
        lambda: memory.read_byte(),
        lambda: (memory.seek(0), memory.read_byte(), memory.readline(), memory.readline())[1:],
        lambda: (memory.seek(0), memory.write_byte(7), memory[0])[2],
        lambda: (memory.find(b"12"), memory.rfind(b"12", 0, 9), memory.find(b"no")),
        lambda: (memory.move(0, 5, 5), memory[:])[1],
        lambda: memory.move(0, 5, 6),
        lambda: memory.flush(0, 50),
        lambda: memory.flush(1, 5),
        lambda: (memory.size(), memory.closed, memory.flush()),
        lambda: (memory.close(), memory.close(), memory.closed),
        lambda: memory[0],
        lambda: assign(0, 1),
        lambda: len(memory),
        lambda: memory.tell(),
        lambda: memory.__enter__(),
    ]
    return [_outcome(step) for step in steps]


def _outcome(step: Callable[[], object]) -> object:
    try:
        return step()
    except (ValueError, TypeError, IndexError, OSError) as error:
        return type(error), str(error)


def test_a_map_behaves_as_pythons_own(run: Run, tmp_path: Any) -> None:
    (tmp_path / "m").write_bytes(bytes(10))
    with open(tmp_path / "m", "r+b") as file:
        expected = script(real.mmap(file.fileno(), 10))

    async def main() -> None:
        assert script(posix.mmap(sized("/m", 10), 10)) == expected

    run(main)


def test_what_is_mapped_to_read_is_not_written(run: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(sized("/m", 10), 0, prot=posix.PROT_READ)
        for change in (
            lambda: memory.__setitem__(0, 1),
            lambda: memory.write(b"x"),
            lambda: memory.write_byte(1),
            lambda: memory.move(0, 1, 1),
        ):
            with pytest.raises(TypeError, match="can't modify a readonly memory map"):
                change()
        assert memory.buf.readonly
        memory.flush()

    run(main)


def test_raw_views_serve_struct_and_array_and_hold_the_map(run: Run) -> None:
    async def child(memory: MemoryMap) -> None:
        struct.pack_into("<I", memory.buf, 4, 0xABCD)

    async def main() -> None:
        memory = posix.mmap(-1, 4 * PAGE)
        assert await status_of(posix.fork(child, memory)) == 0
        assert struct.unpack_from("<I", memory.buf, 4) == (0xABCD,)
        words = memory.buf.cast("I")
        words[2] = 9
        assert array("I", memory[:12])[2] == 9
        with pytest.raises(BufferError, match="exported pointers exist"):
            memory.close()
        words.release()
        memory.close()
        assert memory.closed

    run(main)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the buffer protocol of Python 3.12")
def test_a_map_is_a_buffer_itself(run: Run) -> None:
    async def main() -> None:
        memory: Any = posix.mmap(-1, 10)
        struct.pack_into("<H", memory, 0, 513)
        assert memory[:2] == b"\1\2"

    run(main)


def test_numpy_works_on_the_memory(run: Run) -> None:
    numpy = pytest.importorskip("numpy")

    async def main() -> None:
        memory = posix.mmap(-1, PAGE)
        numbers = numpy.frombuffer(memory.buf, dtype="<u4")
        numbers[3] = 7
        assert memory[12] == 7
        with pytest.raises(BufferError):
            memory.close()
        del numbers
        memory.close()

    run(main)


def test_a_raw_view_stays_true_while_the_file_grows(run: Run) -> None:
    async def main() -> None:
        fd = sized("/m", 10)
        view = posix.mmap(fd, 0).buf
        posix.ftruncate(fd, 1 << 24)
        posix.pwrite(fd, b"grown", 0)
        assert bytes(view[:5]) == b"grown"
        view[0] = ord("G")
        assert posix.pread(fd, 5, 0) == b"Grown"

    run(main)


def test_the_map_holds_its_open_file_as_a_descriptor_does(run: Run) -> None:
    async def main() -> None:
        fd = sized("/m", 10)
        memory = posix.mmap(posix.shm_open("/m", os.O_RDWR), 0)
        file = current().process.table[4].file
        posix.close(4)
        assert file.holders == 1
        memory.close()
        assert file.holders == 0
        posix.close(fd)

    run(main)


def test_a_memfd_is_sealed_through_fcntl(run: Run) -> None:
    async def main() -> None:
        fd = posix.memfd_create("x", posix.MFD_ALLOW_SEALING)
        assert posix.get_inheritable(fd)
        assert not posix.get_inheritable(posix.memfd_create("y"))
        posix.ftruncate(fd, 10)
        assert posix.fcntl(fd, posix.F_ADD_SEALS, posix.F_SEAL_SHRINK) == 0
        assert posix.fcntl(fd, posix.F_GET_SEALS) == posix.F_SEAL_SHRINK
        with pytest.raises(PermissionError):
            posix.ftruncate(fd, 5)
        memory = posix.mmap(fd, 0)
        with pytest.raises(OSError, match="busy"):
            posix.fcntl(fd, posix.F_ADD_SEALS, posix.F_SEAL_WRITE)
        memory.close()
        posix.fcntl(fd, posix.F_ADD_SEALS, posix.F_SEAL_WRITE)
        with pytest.raises(PermissionError):
            posix.mmap(fd, 0)

    run(main)


def test_what_is_not_modelled_says_so(run: Run) -> None:
    async def main() -> None:
        memory = posix.mmap(-1, 10)
        for refused in (lambda: memory.resize(20), lambda: memory.madvise(4)):
            with pytest.raises(Unsupported):
                refused()

    run(main)


def test_the_calls_are_seen_and_the_accesses_are_not(run: Run) -> None:
    async def main() -> None:
        events: list[Event] = []
        current().simulation.subscribe(events.append)
        memory = posix.mmap(sized("/m", 10), 0)
        memory[0] = 1
        memory.flush()
        memory.close()
        posix.shm_unlink("/m")
        posix.memfd_create("x")
        calls = [event.call for event in events if isinstance(event, SystemCall)]
        assert calls == [
            "openat", "ftruncate", "mmap", "msync", "munmap", "unlink", "memfd_create",
        ]  # fmt: skip

    run(main)

"""System V shared memory between processes: who has it attached, and how it ends."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from asyncipc import Unsupported, posix
from asyncipc.faces.attached_memory import AttachedMemory
from asyncipc.kernel.memory.mapping import SIGSEGV
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sysv.identifiers import IPC_RMID
from asyncipc.native import libc
from tests.contract.queues import is_now, known_as

Run = Callable[..., Any]

KEY = 0x7A110000 | os.getpid() & 0xFFFF
MAKE = posix.IPC_CREAT | 0o600
REAL = Path("/proc/sysvipc/shm")


def own_segments() -> set[int]:
    """The real kernel's that this interpreter has made."""
    if not REAL.exists():
        return set()
    rows = [line.split() for line in REAL.read_text().splitlines()[1:]]
    return {int(row[1]) for row in rows if int(row[4]) == os.getpid()}


@pytest.fixture(autouse=True)
def removed(machine: str) -> Iterator[None]:
    """What a test makes on the real kernel would stay there; nothing of it may be attached."""
    before = own_segments()
    yield
    for shmid in own_segments() - before:
        libc.shmctl(shmid, IPC_RMID, None)
    assert own_segments() == before


def attached(shmid: int) -> int:
    status = posix.shmctl(shmid, posix.IPC_STAT)
    assert status is not None
    return status.shm_nattch


async def status_of(pid: int) -> int:
    return (await posix.waitpid(pid))[1]


def test_two_processes_meet_at_a_key(run: Run) -> None:
    async def child() -> None:
        memory = posix.shmat(posix.shmget(KEY, 0, 0))
        struct.pack_into("<I", memory.buf, 0, 42)
        posix.shmdt(memory)

    async def main() -> None:
        shmid = posix.shmget(KEY, 100, MAKE)
        memory = posix.shmat(shmid)
        assert await status_of(posix.fork(child)) == 0
        assert memory[:4] == struct.pack("<I", 42)
        status = posix.shmctl(shmid, posix.IPC_STAT)
        assert status is not None
        assert (status.shm_segsz, status.shm_nattch, status.mode) == (100, 1, 0o600)
        assert (status.shm_cpid, status.shm_lpid) == (known_as(2), known_as(3))

    run(main)


@pytest.mark.parametrize("end", ["exit", "exec", "kill", "cancel"])
def test_whatever_ends_the_last_process_ends_a_removed_segment(run: Run, end: str) -> None:
    async def other() -> None:
        await anyio.sleep_forever()

    async def child(memory: AttachedMemory) -> None:
        memory[0] = 1
        if end == "exit":
            await anyio.sleep(1)
            return
        if end == "exec":
            await anyio.sleep(1)
            posix.execv(other)
        await anyio.sleep_forever()

    async def main() -> None:
        shmid = posix.shmget(posix.IPC_PRIVATE, 100, MAKE)
        memory = posix.shmat(shmid)
        pid = posix.fork(child, memory)
        posix.shmdt(memory)
        posix.shmctl(shmid, posix.IPC_RMID)
        assert attached(shmid) == 1
        await anyio.sleep(2)
        if end in {"kill", "cancel"}:
            posix.kill(pid, SIGKILL if end == "kill" else 15)
        with pytest.raises(OSError, match="Invalid argument"):
            posix.shmat(shmid)
        if end == "exec":
            posix.kill(pid, SIGKILL)
        await posix.waitpid(pid)

    run(main)


def test_a_child_detaches_for_itself(run: Run) -> None:
    async def child(memory: AttachedMemory) -> None:
        posix.shmdt(memory)
        with pytest.raises(OSError, match="Invalid argument"):
            posix.shmdt(memory)

    async def main() -> None:
        shmid = posix.shmget(posix.IPC_PRIVATE, 100, MAKE)
        memory = posix.shmat(shmid)
        pid = posix.fork(child, memory)
        assert attached(shmid) == 2
        assert await status_of(pid) == 0
        assert attached(shmid) == 1
        memory[99] = 1

    run(main)


@pytest.mark.parametrize("misuse", ["write read-only", "after shmdt", "length", "view"])
def test_misuse_of_a_pointer_is_a_segmentation_fault(run: Run, misuse: str) -> None:
    async def child(shmid: int) -> None:
        memory = posix.shmat(shmid, posix.SHM_RDONLY)
        assert memory[0] == 0
        if misuse == "write read-only":
            memory[0] = 1
        posix.shmdt(memory)
        assert len(memory) == 100
        if misuse == "view":
            assert memory.buf
        elif misuse == "length":
            memory[0:3] = b"abc"
        memory[0]

    async def main() -> None:
        shmid = posix.shmget(posix.IPC_PRIVATE, 100, MAKE)
        assert await status_of(posix.fork(child, shmid)) == SIGSEGV

    run(main)


def test_the_code_of_a_segmentation_fault_tells_what_is_not_there_from_what_may_not_be(
    run: Run,
) -> None:
    class Out(Exception):
        pass

    async def main() -> None:
        codes = []

        def leave(signal: int, info: posix.SignalInfo) -> None:
            codes.append(info.si_code)
            raise Out

        posix.signal(SIGSEGV, leave)
        shmid = posix.shmget(posix.IPC_PRIVATE, 100, MAKE)
        memory = posix.shmat(shmid)
        posix.shmdt(memory)
        with pytest.raises(Out):
            memory[0]
        memory = posix.shmat(shmid, posix.SHM_RDONLY)
        with pytest.raises(Out):
            memory[0] = 1
        assert codes == [1, 2]

    run(main)


def test_a_status_can_be_changed_and_set(run: Run) -> None:
    async def main() -> None:
        shmid = posix.shmget(posix.IPC_PRIVATE, 100, MAKE)
        status = posix.shmctl(shmid, posix.IPC_STAT)
        assert status is not None
        posix.shmctl(shmid, posix.IPC_SET, status._replace(uid=7, mode=0o644))
        posix.shmctl(shmid, posix.SHM_LOCK)
        changed = posix.shmctl(shmid, posix.IPC_STAT)
        assert changed is not None
        assert (changed.uid, changed.mode) == (7, posix.SHM_LOCKED | 0o644)
        posix.shmctl(shmid, posix.SHM_UNLOCK)
        with pytest.raises(OSError, match="Bad address"):
            posix.shmctl(shmid, posix.IPC_SET)
        with pytest.raises(OSError, match="Invalid argument"):
            posix.shmctl(shmid, 99)
        with pytest.raises(Unsupported):
            posix.shmctl(shmid, 13)

    run(main)


def test_times_are_the_machines(run: Run) -> None:
    def times(shmid: int) -> tuple[int, ...]:
        status = posix.shmctl(shmid, posix.IPC_STAT)
        assert status is not None
        return status.shm_ctime, status.shm_atime, status.shm_dtime

    async def main() -> None:
        await anyio.sleep(1)
        shmid = posix.shmget(posix.IPC_PRIVATE, 100, MAKE)
        made, *never = times(shmid)
        assert is_now(made)
        assert never == [0, 0]
        await anyio.sleep(1)
        memory = posix.shmat(shmid)
        assert is_now(times(shmid)[1])
        await anyio.sleep(1)
        posix.shmdt(memory)
        assert is_now(times(shmid)[2])
        assert times(shmid)[0] == made

    run(main)

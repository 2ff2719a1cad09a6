"""ipcs and lslocks: what of shared storage there is, in the columns of Linux's tools."""

from __future__ import annotations

from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_SH
from typing import Any

import asyncipc
from asyncipc import posix
from asyncipc.posix import IPC_CREAT, IPC_RMID, O_CREAT, O_RDWR
from asyncipc.statistics import MachineStatistics, NamedQueueStatistics
from asyncipc.trace.ipcs import ipcs
from asyncipc.trace.lslocks import lslocks
from asyncipc.trace.lsof import lsof
from asyncipc.trace.maps import maps


def look() -> MachineStatistics:
    return asyncipc.current_simulation().statistics()


def test_ipcs_shows_the_three_kinds(run: Callable[..., Any]) -> None:
    async def main() -> str:
        segment = posix.shmget(0x1234, 5000, IPC_CREAT | 0o640)
        posix.shmat(segment)
        posix.shmctl(segment, IPC_RMID)
        posix.semget(0, 3, IPC_CREAT | 0o600)
        await posix.msgsnd(posix.msgget(0x77, IPC_CREAT | 0o600), 1, b"five!")
        return ipcs(look())

    assert run(main) == (
        "\n------ Message Queues --------\n"
        "key        msqid      owner      perms      used-bytes messages\n"
        "0x00000077 0          root       600        5          1\n"
        "\n------ Shared Memory Segments --------\n"
        "key        shmid      owner      perms      bytes      nattch     status\n"
        "0x00000000 0          root       640        5000       1          dest\n"
        "\n------ Semaphore Arrays --------\n"
        "key        semid      owner      perms      nsems\n"
        "0x00000000 0          root       600        3\n"
    )


def test_lslocks_shows_who_has_a_lock_and_who_waits(run: Callable[..., Any]) -> None:
    async def waiter() -> None:
        await posix.flock(await posix.open("/tmp/b", O_RDWR), LOCK_EX)

    async def main() -> list[str]:
        records = await posix.open("/tmp/a", O_CREAT | O_RDWR)
        await posix.write(records, b"hello")
        await posix.lockf(records, LOCK_EX, 2, 1)
        whole = await posix.open("/tmp/b", O_CREAT | O_RDWR)
        await posix.flock(whole, LOCK_SH)
        child = posix.fork(waiter)
        await posix.nanosleep(1)
        shown = [lslocks(look()), lsof(look())]
        posix.kill(child, 9)
        await posix.waitpid(child)
        return [*shown, lslocks(look())]

    locks, files, later = run(main)
    assert locks == (
        "COMMAND PID  TYPE SIZE MODE   M START END PATH\n"
        "main      2 POSIX   5B WRITE  0     1   2 /tmp/a\n"
        "main      2 FLOCK   0B READ   0     0   0 /tmp/b\n"
        "waiter    3 FLOCK   0B WRITE* 0     0   0 /tmp/b\n"
    )
    assert "3uw" in files  # a part of it, to write
    assert "4uR" in files  # all of it, to read
    assert "waiter" not in later


def test_a_look_at_every_kind_of_open_file_works(run: Callable[..., Any]) -> None:
    async def main() -> tuple[MachineStatistics, str]:
        epoll = posix.epoll_create1()
        posix.epoll_ctl(epoll, posix.EPOLL_CTL_ADD, posix.eventfd(3), posix.EPOLLIN)
        posix.timerfd_create(posix.CLOCK_MONOTONIC)
        posix.signalfd(-1, {10})
        posix.pidfd_open(posix.getpid())
        posix.memfd_create("pages")
        posix.mq_open("/orders", O_CREAT | O_RDWR)
        posix.shm_open("/shared", O_CREAT | O_RDWR)
        posix.sem_open("/gate", O_CREAT)
        posix.unlink("/dev/shm/shared")
        return look(), lsof(look())

    machine, shown = run(main)
    assert [file.kind for file in machine.files[1:]] == ["a_inode"] * 5 + ["REG"] * 3
    assert machine.shared_names == (("sem_open", "/gate"), ("mq_open", "/orders"))
    names = [line.split("  ")[-1].strip() for line in shown.splitlines()[4:]]
    assert any("[eventpoll" in name for name in names)
    assert any("[eventfd" in name for name in names)
    assert any("memfd:pages (deleted)" in name for name in names)
    assert any("/dev/shm/shared (deleted)" in name for name in names)


def test_maps_shows_what_is_mapped_and_how(run: Callable[..., Any]) -> None:
    async def main() -> list[list[str]]:
        fd = posix.shm_open("/shared", O_CREAT | O_RDWR)
        posix.ftruncate(fd, 8192)
        posix.mmap(fd, 4096, prot=posix.PROT_READ, offset=4096)
        posix.mmap(-1, 4096)
        posix.mmap(-1, 4096, posix.MAP_PRIVATE)
        posix.shmat(posix.shmget(0x1234, 4096, IPC_CREAT | 0o600))
        return [line.split(maxsplit=5) for line in maps(look()).splitlines()]

    head, *lines = run(main)
    assert head == ["2", "main"]
    assert [(line[1], line[2], line[5:]) for line in lines] == [
        ("r--s", "00001000", ["/dev/shm/shared"]),
        ("rw-s", "00000000", ["/dev/zero (deleted)"]),
        ("rw-p", "00000000", []),
        ("rw-s", "00000000", ["/SYSV00001234 (deleted)"]),
    ]


def test_locks_on_what_has_no_node_are_shown_too(run: Callable[..., Any]) -> None:
    async def main() -> list[str]:
        queue = posix.mq_open("/orders", O_CREAT | O_RDWR)
        for fd in (posix.eventfd(0), posix.pidfd_open(2), queue, posix.pipe()[0]):
            await posix.flock(fd, LOCK_EX)
        return [lock.path for lock in look().locks]

    *anonymous, queue, pipe = run(main)
    assert all(name.startswith("anon_inode") for name in anonymous)
    assert queue == "/orders"
    assert pipe.startswith("pipe:[")


def test_a_posix_queue_tells_of_itself(run: Callable[..., Any]) -> None:
    async def main() -> MachineStatistics:
        fd = posix.mq_open("/orders", O_CREAT | O_RDWR, 0o640)
        await posix.mq_send(fd, b"five!", 3)
        return look()

    assert run(main).named_queues == (NamedQueueStatistics("/orders", 0, 0o640, 10, 8192, 5, 1),)

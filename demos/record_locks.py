"""Readers and a writer on one file, with record locks.

A shared lock lets others read, an exclusive one lets nobody.  A lock covers a
range: who writes another record does not wait.  They are advisory: they bind
who asks for them, and nobody else.

They belong to the process, and any close of the file by that process, through
whatever descriptor, gives all of them back: the last part shows that trap.
"""

import sys
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN

import anyio

from asyncipc import posix
from asyncipc.cli.showing import SIMULATED, Stage, table
from asyncipc.posix import (
    O_CREAT,
    O_RDWR,
    close,
    fork,
    lockf,
    pread,
    pwrite,
    waitpid,
    write,
)
from asyncipc.trace.lslocks import lslocks

STDOUT = 1
RECORD = 8
PATH = "/tmp/accounts"


async def main() -> None:
    fd = await posix.open(PATH, O_CREAT | O_RDWR)
    pwrite(fd, b"0000100\n0000200\n", 0)
    for program in (reader, reader, writer, other_writer):
        fork(program)
        await anyio.sleep(0.1)
    table(lslocks, "all have begun")
    for _ in range(4):
        await waitpid(-1)
    await write(STDOUT, pread(fd, 2 * RECORD, 0))


async def reader() -> None:
    fd = await posix.open(PATH, O_RDWR)
    await lockf(fd, LOCK_SH, RECORD, 0)
    await write(STDOUT, b"read " + pread(fd, RECORD, 0))
    await anyio.sleep(1)
    await lockf(fd, LOCK_UN, RECORD, 0)


async def writer() -> None:
    fd = await posix.open(PATH, O_RDWR)
    await lockf(fd, LOCK_EX, RECORD, 0)
    pwrite(fd, b"%07d\n" % (int(pread(fd, RECORD, 0)) + 1), 0)


async def other_writer() -> None:
    fd = await posix.open(PATH, O_RDWR)
    await lockf(fd, LOCK_EX, RECORD, RECORD)
    pwrite(fd, b"%07d\n" % (int(pread(fd, RECORD, RECORD)) + 1), RECORD)


async def trap() -> None:
    fd = await posix.open(PATH, O_CREAT | O_RDWR)
    await lockf(fd, LOCK_EX)
    close(await posix.open(PATH, O_RDWR))  # some library that looks at the file
    await waitpid(fork(intruder))


async def intruder() -> None:
    fd = await posix.open(PATH, O_RDWR)
    await lockf(fd, LOCK_EX | LOCK_NB)
    await write(STDOUT, b"the lock is mine: the close gave it back\n")


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main, "Two readers, and a writer on each record")
    stage.show(trap, "The lock that a close of another descriptor gives back")
    return 0


if __name__ == "__main__":
    sys.exit(run())

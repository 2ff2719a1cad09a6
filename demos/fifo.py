"""A FIFO is a pipe with a name: two strangers meet at it.

A pipe's ends are inherited, so only relatives can use one.  A FIFO stands in
the file system, and whoever may open its path gets an end.  The open for
reading sleeps until somebody opens it for writing, and the other way round:
they wait for each other.  The path remains until it is unlinked.
"""

import sys

import anyio

from asyncipc.cli.showing import SIMULATED, Stage, look
from asyncipc.posix import (
    O_RDONLY,
    O_WRONLY,
    close,
    fork,
    mkfifo,
    open,  # noqa: A004
    read,
    unlink,
    waitpid,
    write,
)

STDOUT = 1
PATH = "/tmp/fifo"


async def main() -> None:
    mkfifo(PATH, 0o600)
    reader_pid = fork(reader)
    writer_pid = fork(writer)

    await anyio.sleep(1)
    look("they have met")
    await waitpid(reader_pid)
    await waitpid(writer_pid)
    unlink(PATH)


async def reader() -> None:
    fifo = await open(PATH, O_RDONLY)
    while message := await read(fifo, 100):
        await write(STDOUT, message + b"\n")
    close(fifo)


async def writer() -> None:
    await anyio.sleep(0.5)  # so long the reader waits for a writer
    fifo = await open(PATH, O_WRONLY)
    await anyio.sleep(1)
    await write(fifo, b"message for whoever reads")
    close(fifo)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())

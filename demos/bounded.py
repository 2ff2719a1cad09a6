"""A full pipe makes its writer wait until a page has been read.

A pipe holds 16 pages, 65536 bytes.  A page is free again when its last byte
has been read: the reader's first half page does not help the writer yet.
"""

import sys

import anyio

from asyncipc.cli.showing import SIMULATED, Stage, look
from asyncipc.posix import F_GETPIPE_SZ, close, fcntl, fork, pipe, read, waitpid, write

PAGE = 4096


async def main() -> None:
    read_end, write_end = pipe()
    child_pid = fork(child, read_end, write_end)
    close(write_end)

    await anyio.sleep(1)
    look("the pipe is full, and the writer waits")
    await read(read_end, PAGE // 2)

    await anyio.sleep(1)
    look("half a page was read, and the writer still waits")
    await read(read_end, PAGE // 2)

    await waitpid(child_pid)
    look("the page is free, and the writer has gone on")
    close(read_end)


async def child(read_end: int, write_end: int) -> None:
    close(read_end)
    capacity = fcntl(write_end, F_GETPIPE_SZ)
    await write(write_end, b"x" * capacity)
    await write(write_end, b"one page more".ljust(PAGE))
    close(write_end)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())

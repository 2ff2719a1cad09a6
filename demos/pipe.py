"""A child sends its parent a message through a pipe.

A pipe is simplex: bytes go in at the write end and come out at the read end.
fork copies the descriptor table, so both processes hold both ends at first;
each closes the one that it does not use.  Only then does the last close of
the write end become the end of the file for the reader.
"""

import sys

import anyio

from asyncipc.cli.showing import SIMULATED, Stage, look
from asyncipc.posix import close, fork, pipe, read, waitpid, write

STDOUT = 1


async def main() -> None:
    read_end, write_end = pipe()
    look("after pipe")

    child_pid = fork(child, read_end, write_end)
    look("after fork")

    close(write_end)
    while message := await read(read_end, 100):
        await write(STDOUT, message + b"\n")
    close(read_end)
    await waitpid(child_pid)


async def child(read_end: int, write_end: int) -> None:
    close(read_end)
    look("after the closes")

    await anyio.sleep(0.25)
    await write(write_end, b"message for parent")
    close(write_end)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())

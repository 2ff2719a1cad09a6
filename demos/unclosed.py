"""A write end that nobody closed: end of file never comes.

The parent forgets to close its own copy of the write end.  The child ends, but
the pipe can still be written, by the very process that waits for its end.  The
real program hangs; the simulated one knows that nobody can ever go on.
"""

import sys

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import close, fork, pipe, read, waitpid, write

STDOUT = 1


async def main() -> None:
    read_end, write_end = pipe()
    child_pid = fork(child, read_end, write_end)

    while message := await read(read_end, 100):
        await write(STDOUT, message + b"\n")
    await waitpid(child_pid)


async def corrected() -> None:
    read_end, write_end = pipe()
    child_pid = fork(child, read_end, write_end)
    close(write_end)  # the line that was missing

    while message := await read(read_end, 100):
        await write(STDOUT, message + b"\n")
    await waitpid(child_pid)


async def child(read_end: int, write_end: int) -> None:
    close(read_end)
    await write(write_end, b"message for parent")
    close(write_end)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show_deadlock(main, "The parent keeps its write end open")
    stage.show(corrected, "The parent closes it before it reads")
    return 0


if __name__ == "__main__":
    sys.exit(run())

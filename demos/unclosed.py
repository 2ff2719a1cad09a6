"""A write end that nobody closed: the end of the file never comes.

The parent forgets to close its own copy of the write end.  The child ends, but
the pipe can still be written, by the very process that waits for its end.  The
real program hangs; the simulated one knows that nobody can ever go on.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Literal

import asyncipc
from asyncipc.posix import close, fork, pipe, read, waitpid, write
from asyncipc.trace.transcript import Transcript

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


def run(backend: Literal["trio", "asyncio"] = "trio", seed: int | None = None) -> int:
    def show(program: Callable[[], Awaitable[None]]) -> None:
        transcript = Transcript()
        asyncipc.run(
            program, backend=backend, seed=seed, observers=[transcript], console=transcript.output
        )

    print(f"{__doc__}\nThe parent keeps its write end open:\n")
    try:
        show(main)
    except asyncipc.Deadlock as deadlock:
        print(f"\nDeadlock: {deadlock}")
    else:
        return 1  # the demo has failed to fail

    print("\nThe parent closes it before it reads:\n")
    show(corrected)
    return 0


if __name__ == "__main__":
    sys.exit(run())

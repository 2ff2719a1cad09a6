"""Two processes that both send before they read wait for each other.

Each wants to send more than a socket holds, and neither reads before all of
it is sent: both buffers fill up, and both sleep.  It is enough that one of the
two reads first.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Literal

import asyncipc
from asyncipc.posix import close, fork, recv, send, socketpair, waitpid, write
from asyncipc.trace.transcript import Transcript

STDOUT = 1
LETTER = b"a long letter, " * 20_000


async def main() -> None:
    mine, childs = socketpair()
    child_pid = fork(send_first, childs, mine)
    await send_first(mine, childs)
    await waitpid(child_pid)


async def corrected() -> None:
    mine, childs = socketpair()
    child_pid = fork(read_first, childs, mine)
    await send_first(mine, childs)
    await waitpid(child_pid)


async def send_first(mine: int, others: int) -> None:
    close(others)
    await send(mine, LETTER)
    await read_letter(mine)


async def read_first(mine: int, others: int) -> None:
    close(others)
    await read_letter(mine)
    await send(mine, LETTER)


async def read_letter(sock: int) -> None:
    received = 0
    while received < len(LETTER):
        received += len(await recv(sock, 100_000))
    await write(STDOUT, b"got a letter of %d bytes\n" % received)


def run(backend: Literal["trio", "asyncio"] = "trio", seed: int | None = None) -> int:
    def show(program: Callable[[], Awaitable[None]]) -> None:
        transcript = Transcript()
        asyncipc.run(
            program, backend=backend, seed=seed, observers=[transcript], console=transcript.output
        )

    print(f"{__doc__}\nBoth send first:\n")
    try:
        show(main)
    except asyncipc.Deadlock as deadlock:
        print(f"\nDeadlock: {deadlock}")
    else:
        return 1  # the demo has failed to fail

    print("\nThe child reads first:\n")
    show(corrected)
    return 0


if __name__ == "__main__":
    sys.exit(run())

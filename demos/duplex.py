"""A question and its answer over one pair of sockets.

Both ends of a socketpair send and receive.  To say "that was all" and still
hear the answer, the parent shuts only its sending half.
"""

import sys
from socket import SHUT_WR
from typing import Literal

import anyio

import asyncipc
from asyncipc.posix import close, fork, recv, send, shutdown, socketpair, waitpid, write
from asyncipc.trace.tables import picture
from asyncipc.trace.transcript import Transcript

STDOUT = 1


async def main() -> None:
    mine, childs = socketpair()
    child_pid = fork(child, childs, mine)
    close(childs)

    await send(mine, b"6 * 7 = ?")
    shutdown(mine, SHUT_WR)

    answer = await receive_all(mine)
    await write(STDOUT, b"the answer is " + answer + b"\n")
    close(mine)
    await waitpid(child_pid)


async def child(mine: int, parents: int) -> None:
    close(parents)
    print(f"\n{picture(asyncipc.current_simulation(), 'the question has come')}")

    question = await receive_all(mine)
    left, right = question.removesuffix(b" = ?").split(b" * ")
    await anyio.sleep(0.5)  # it has to think
    await send(mine, b"%d" % (int(left) * int(right)))
    close(mine)


async def receive_all(sock: int) -> bytes:
    """Everything that comes until the other side has shut its sending half."""
    received = b""
    while data := await recv(sock, 100):
        received += data
    return received


def run(backend: Literal["trio", "asyncio"] = "trio", seed: int | None = None) -> int:
    print(__doc__)
    transcript = Transcript()
    asyncipc.run(
        main, backend=backend, seed=seed, observers=[transcript], console=transcript.output
    )
    return 0


if __name__ == "__main__":
    sys.exit(run())

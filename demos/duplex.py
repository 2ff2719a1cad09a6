"""A question and its answer over one pair of sockets.

Both ends of a socketpair send and receive.  To say "that was all" and still
hear the answer, the parent shuts only its sending half.
"""

import sys
from socket import SHUT_WR

import anyio

from asyncipc.cli.showing import SIMULATED, Stage, look
from asyncipc.posix import close, fork, recv, send, shutdown, socketpair, waitpid, write

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
    look("the question has come")

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


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())

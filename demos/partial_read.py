"""A part of the message was taken for the message.

A stream knows bytes, not messages: recv returns what is there, and the rest
may still be on its way.  A program that takes every recv for a message works
as long as messages are short and the sender is quick, and then fails.

The cure is to say in the stream where a message ends.  Here its length goes
first, in two bytes, and MSG_WAITALL makes recv wait for all bytes asked for.
"""

import sys
from socket import MSG_WAITALL

import anyio

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import close, fork, recv, send, socketpair, waitpid, write

STDOUT = 1
MESSAGE = b"do not push the button"


async def main() -> None:
    mine, childs = socketpair()
    child_pid = fork(child, childs, mine)
    close(childs)

    message = await recv(mine, 100)
    await write(STDOUT, b"the message is: " + message + b"\n")
    await waitpid(child_pid)
    close(mine)


async def child(mine: int, parents: int) -> None:
    close(parents)
    await send(mine, MESSAGE[:6])
    await anyio.sleep(0.5)
    await send(mine, MESSAGE[6:])
    close(mine)


async def corrected() -> None:
    mine, childs = socketpair()
    child_pid = fork(corrected_child, childs, mine)
    close(childs)

    length = int.from_bytes(await recv(mine, 2, MSG_WAITALL), "big")
    message = await recv(mine, length, MSG_WAITALL)
    await write(STDOUT, b"the message is: " + message + b"\n")
    await waitpid(child_pid)
    close(mine)


async def corrected_child(mine: int, parents: int) -> None:
    close(parents)
    await send(mine, len(MESSAGE).to_bytes(2, "big"))
    await send(mine, MESSAGE[:6])
    await anyio.sleep(0.5)
    await send(mine, MESSAGE[6:])
    close(mine)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main, "One recv is taken for the message")
    stage.show(corrected, "The length goes first, and recv waits for all")
    return 0


if __name__ == "__main__":
    sys.exit(run())

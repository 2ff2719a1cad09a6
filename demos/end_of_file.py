"""The end of the file was taken for a message.

At the end of a stream recv does not wait and does not fail: it returns b"",
at once and every time.  A loop that takes that for an empty message never
ends, and never sleeps either.  On a real machine one processor is busy for
ever; here virtual time stands still, and that is noticed.
"""

import sys

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import close, fork, recv, send, socketpair, waitpid, write

STDOUT = 1


async def main() -> None:
    mine, childs = socketpair()
    child_pid = fork(child, childs, mine)
    close(childs)

    while True:
        message = await recv(mine, 100)
        if message == b"stop":
            break
        await write(STDOUT, b"got [" + message + b"]\n")

    close(mine)
    await waitpid(child_pid)


async def corrected() -> None:
    mine, childs = socketpair()
    child_pid = fork(child, childs, mine)
    close(childs)

    while message := await recv(mine, 100):  # b"" is the end
        await write(STDOUT, b"got [" + message + b"]\n")

    close(mine)
    await waitpid(child_pid)


async def child(mine: int, parents: int) -> None:
    close(parents)
    await send(mine, b"hello")
    close(mine)  # and nobody has said stop


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show_endless(main, 'Every recv is taken for a message, b"" too')
    stage.show(corrected, 'b"" ends the loop')
    return 0


if __name__ == "__main__":
    sys.exit(run())

"""Two processes that send before they read wait for each other.

Each wants to send more than a socket holds, and neither reads before all of
it is sent: both buffers fill up, and both sleep.  It is enough that one of the
two reads first.
"""

import sys

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import close, fork, recv, send, socketpair, waitpid, write

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


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show_deadlock(main, "Both send first")
    stage.show(corrected, "The child reads first")
    return 0


if __name__ == "__main__":
    sys.exit(run())

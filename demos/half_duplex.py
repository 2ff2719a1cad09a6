"""One pipe carries a question, and then its answer.

Simplex is one direction only: the pipe with one writer and one reader.  Duplex
is both directions at the same time: a pair of sockets.  Half-duplex lies
between: one channel for both directions, but in turns, as with two radios on
one frequency.

Here both processes keep both ends of one pipe.  Nothing in the kernel says
whose turn it is, and who reads out of turn hears his own words.  So they need
a rule: the parent does not listen before the child has ended.
"""

import sys

from asyncipc.cli.showing import SIMULATED, Stage, look
from asyncipc.posix import close, fork, pipe, read, waitpid, write

STDOUT = 1


async def main() -> None:
    read_end, write_end = pipe()

    await write(write_end, b"6 * 7 = ?")
    look("the parent has spoken: the pipe leads to whoever reads")

    child_pid = fork(child, read_end, write_end)
    await waitpid(child_pid)  # it is the child's turn
    look("the child has spoken: the same pipe leads back")

    answer = await read(read_end, 100)
    await write(STDOUT, b"the answer is " + answer + b"\n")
    close(read_end)
    close(write_end)


async def child(read_end: int, write_end: int) -> None:
    question = await read(read_end, 100)
    left, right = question.removesuffix(b" = ?").split(b" * ")
    await write(write_end, b"%d" % (int(left) * int(right)))


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())

"""A process dies because it writes to somebody who has gone.

To send on a stream that nobody will read is an error, EPIPE, and the kernel
also sends the signal SIGPIPE.  Its default action ends the process: no
message, no traceback, and the lines that follow never run.  Only its parent
learns it, from waitpid.  (Python ignores SIGPIPE from the start, so here the
child asks for what every C program has.)

With MSG_NOSIGNAL there is no signal for this call, only the error.
"""

import os
import sys
from signal import SIGPIPE
from socket import MSG_NOSIGNAL

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import SIG_DFL, close, fork, send, signal, socketpair, waitpid, write

STDOUT = 1


async def main() -> None:
    mine, childs = socketpair()
    child_pid = fork(child, childs, mine)
    close(childs)
    close(mine)  # nobody will read

    _, status = await waitpid(child_pid)
    await report(status)


async def child(mine: int, parents: int) -> None:
    close(parents)
    signal(SIGPIPE, SIG_DFL)
    await send(mine, b"message for parent")
    await write(STDOUT, b"the child goes on\n")


async def corrected() -> None:
    mine, childs = socketpair()
    child_pid = fork(corrected_child, childs, mine)
    close(childs)
    close(mine)

    _, status = await waitpid(child_pid)
    await report(status)


async def corrected_child(mine: int, parents: int) -> None:
    close(parents)
    signal(SIGPIPE, SIG_DFL)
    try:
        await send(mine, b"message for parent", MSG_NOSIGNAL)
    except BrokenPipeError:
        await write(STDOUT, b"nobody reads any more\n")
    await write(STDOUT, b"the child goes on\n")


async def report(status: int) -> None:
    """Say how a child has ended."""
    if os.WIFSIGNALED(status):
        await write(STDOUT, b"the child was killed by signal %d\n" % os.WTERMSIG(status))
    else:
        await write(STDOUT, b"the child has exited with %d\n" % os.WEXITSTATUS(status))


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main, "The child is killed")
    stage.show(corrected, "The child gets an error, and handles it")
    return 0


if __name__ == "__main__":
    sys.exit(run())

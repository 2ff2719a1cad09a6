"""A signal interrupts a call, ends a process, tells of an end.

A signal is a number that arrives at any time.  A process may name a function
for it, its handler: that is called, and the call in which the process sleeps
is interrupted (EINTR).  Without a handler the default action is taken: SIGTERM
ends the process, and waitpid tells its parent by which signal.  SIGCHLD comes
when a child has ended; it is ignored by default, but it can be handled.
"""

import os
import sys
from signal import SIGCHLD, SIGTERM, SIGUSR1

import anyio

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import (
    WNOHANG,
    SignalInfo,
    _exit,
    fork,
    getppid,
    kill,
    pause,
    signal,
    waitpid,
    write,
)

STDOUT = 1


async def main() -> None:
    senders: list[int] = []

    def handler(number: int, info: SignalInfo) -> None:
        senders.append(info.si_pid)

    signal(SIGUSR1, handler)
    child_pid = fork(child)
    try:
        await pause()
    except InterruptedError:
        await write(STDOUT, f"pause was interrupted, by pid {senders}\n".encode())

    kill(child_pid, SIGTERM)
    _, status = await waitpid(child_pid)
    await write(STDOUT, b"the child was ended by signal %d\n" % os.WTERMSIG(status))


async def child() -> None:
    await anyio.sleep(0.5)
    kill(getppid(), SIGUSR1)
    await anyio.sleep(60)  # it does not come to that


async def told_of_the_end() -> None:
    def child_ended(number: int, info: SignalInfo) -> None:
        """It is enough that pause is interrupted."""

    signal(SIGCHLD, child_ended)
    fork(short_child)
    try:
        await pause()
    except InterruptedError:
        _, status = await waitpid(-1, WNOHANG)
        await write(STDOUT, b"the child has exited with %d\n" % os.WEXITSTATUS(status))


async def short_child() -> None:
    await anyio.sleep(0.5)
    _exit(3)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main, "A handler, and a default action")
    stage.show(told_of_the_end, "SIGCHLD")
    return 0


if __name__ == "__main__":
    sys.exit(run())

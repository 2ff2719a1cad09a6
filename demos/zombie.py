"""A child that has ended, and that nobody has waited for.

When a process ends, its descriptors are closed and its memory is free, but
its number and its status remain until the parent has asked for them: a
zombie.  It takes a place in the table of processes; kill(pid, 0) finds it.  A
server that forks and never waits fills that table.

Two cures: wait for children when SIGCHLD tells that there is one; or ignore
SIGCHLD, and the kernel keeps no zombies for this process.
"""

import sys
from signal import SIGCHLD

import anyio

from asyncipc.cli.showing import SIMULATED, Stage, look
from asyncipc.posix import SIG_IGN, SignalInfo, fork, kill, pause, signal, waitpid, write

STDOUT = 1


async def main() -> None:
    child_pid = fork(child)
    await anyio.sleep(5)  # the child has ended long ago
    look("five seconds later")
    await ask_for(child_pid)
    await waitpid(child_pid)
    await ask_for(child_pid)


async def waiting() -> None:
    def child_ended(number: int, info: SignalInfo) -> None:
        """It is enough that pause is interrupted."""

    signal(SIGCHLD, child_ended)
    child_pid = fork(child)
    try:
        await pause()
    except InterruptedError:
        await waitpid(-1)
    await ask_for(child_pid)


async def ignoring() -> None:
    signal(SIGCHLD, SIG_IGN)
    child_pid = fork(child)
    await anyio.sleep(5)
    await ask_for(child_pid)


async def child() -> None:
    await anyio.sleep(0.5)


async def ask_for(pid: int) -> None:
    try:
        kill(pid, 0)
        await write(STDOUT, b"there is a process %d\n" % pid)
    except ProcessLookupError:
        await write(STDOUT, b"there is no process %d\n" % pid)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main, "Nobody waits")
    stage.show(waiting, "The parent waits when SIGCHLD comes")
    stage.show(ignoring, "The parent ignores SIGCHLD")
    return 0


if __name__ == "__main__":
    sys.exit(run())

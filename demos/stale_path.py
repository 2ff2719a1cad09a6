"""A path whose server is gone: nobody answers, nobody can bind.

To bind a UNIX socket makes a file, and the file outlives the socket.  After
the server has died, connect says ECONNREFUSED (there is a name, and nobody
behind it), and the next server's bind says EADDRINUSE (there is a name).
SO_REUSEADDR does not help with paths.  The next server has to unlink first.
(It should try to connect before that, lest it takes a living server's name.)
"""

import sys
from signal import SIGKILL
from socket import AF_UNIX, SOCK_STREAM

import anyio

from asyncipc.cli.showing import SIMULATED, Program, Stage
from asyncipc.posix import (
    bind,
    close,
    connect,
    fork,
    kill,
    listen,
    pause,
    socket,
    unlink,
    waitpid,
    write,
)

STDOUT = 1
PATH = "/tmp/service"


async def main() -> None:
    await serve_and_die(server)
    await call()
    next_pid = fork(server)  # its bind fails, and it gives up
    await waitpid(next_pid)
    unlink(PATH)


async def corrected() -> None:
    await serve_and_die(corrected_server)
    next_pid = fork(corrected_server)
    await anyio.sleep(0.5)
    await call()
    kill(next_pid, SIGKILL)
    await waitpid(next_pid)
    unlink(PATH)


async def serve_and_die(program: Program) -> None:
    """A server that has no time to clean up."""
    pid = fork(program)
    await anyio.sleep(0.5)
    kill(pid, SIGKILL)
    await waitpid(pid)


async def server() -> None:
    listener = socket(AF_UNIX, SOCK_STREAM)
    try:
        bind(listener, PATH)
    except OSError as error:
        await write(STDOUT, f"server: {error.strerror}\n".encode())
        return
    listen(listener)
    await pause()


async def corrected_server() -> None:
    try:
        unlink(PATH)
    except FileNotFoundError:
        pass
    await server()


async def call() -> None:
    """A client."""
    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        await connect(sock, PATH)
        await write(STDOUT, b"client: connected\n")
    except ConnectionRefusedError as error:
        await write(STDOUT, f"client: {error.strerror}\n".encode())
    close(sock)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main, "The path of the dead server stands in the way")
    stage.show(corrected, "Every server unlinks it first")
    return 0


if __name__ == "__main__":
    sys.exit(run())

"""A passive and an active process make a connection, and talk.

The passive one makes a socket, binds it to a name, listens, and accepts: from
then on it has two sockets.  The first still listens, for other connections;
the second is its end of this one.  The active one makes a socket and connects
it to the name.  After that the two ends are alike: both send and receive.
"""

import sys
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET

import anyio

from asyncipc.cli.showing import SIMULATED, Stage, look
from asyncipc.posix import (
    accept,
    bind,
    close,
    connect,
    fork,
    listen,
    recv,
    send,
    setsockopt,
    socket,
    waitpid,
    write,
)

STDOUT = 1
ENDPOINT = ("127.0.0.1", 7000)


async def main() -> None:
    listener = socket(AF_INET, SOCK_STREAM)
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, 1)  # its port is free when it starts again
    bind(listener, ENDPOINT)
    listen(listener, 5)
    active_pid = fork(active, listener)

    connection, _address = await accept(listener)
    look("the connection is made")
    while message := await recv(connection, 100):
        await write(STDOUT, message + b"\n")
    close(connection)
    close(listener)
    await waitpid(active_pid)


async def active(listener: int) -> None:
    close(listener)
    sock = socket(AF_INET, SOCK_STREAM)
    await connect(sock, ENDPOINT)
    await anyio.sleep(0.5)
    await send(sock, b"message for the passive process")
    close(sock)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())

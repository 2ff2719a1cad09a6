"""Several clients of a listener, and a child process for each.

The server only accepts.  For every connection it forks a child, which closes
the listener that it does not need and serves its client, however long that
takes: the others are not kept waiting.  The server closes its copy of the
connection at once, or the client would never see the end; and it waits for
its children, or they would stay as zombies.
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
CLIENTS = (b"anna", b"bert", b"cleo")


async def main() -> None:
    listener = socket(AF_INET, SOCK_STREAM)
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, 1)  # its port is free when it starts again
    bind(listener, ENDPOINT)
    listen(listener, 5)
    client_pids = [fork(client, listener, name) for name in CLIENTS]

    child_pids = []
    for _ in CLIENTS:
        connection, _address = await accept(listener)
        child_pids.append(fork(serve, listener, connection))
        close(connection)
    close(listener)
    await anyio.sleep(0.25)
    look("three children serve three clients")

    for pid in child_pids + client_pids:
        await waitpid(pid)


async def serve(listener: int, connection: int) -> None:
    close(listener)
    name = await recv(connection, 100)
    await anyio.sleep(0.5)  # all three at the same time
    await send(connection, b"hello " + name)
    close(connection)


async def client(listener: int, name: bytes) -> None:
    close(listener)
    sock = socket(AF_INET, SOCK_STREAM)
    await connect(sock, ENDPOINT)
    await send(sock, name)
    answer = await recv(sock, 100)
    await write(STDOUT, answer + b"\n")
    close(sock)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())

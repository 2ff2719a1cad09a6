"""A server that is started again cannot have its port back.

Whoever closes a TCP connection first keeps it for a minute in TIME_WAIT, so
that late packets meet no new connection.  For that time the server's port is
taken, and the bind of its successor fails with EADDRINUSE.

One can wait for 60 seconds.  SO_REUSEADDR says that such connections do not
matter; the old server must have said so too, so servers always set it.
"""

import sys
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET

import anyio

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import (
    accept,
    bind,
    close,
    connect,
    fork,
    listen,
    recv,
    setsockopt,
    socket,
    waitpid,
    write,
)

STDOUT = 1
ENDPOINT = ("127.0.0.1", 7001)


async def main() -> None:
    await serve_once(reuse=False)
    for _ in range(4):
        try:
            await serve_once(reuse=False)
            break
        except OSError as error:
            await write(STDOUT, f"the server: {error.strerror}\n".encode())
        await anyio.sleep(20)


async def corrected() -> None:
    await serve_once(reuse=True)
    await serve_once(reuse=True)


async def serve_once(reuse: bool) -> None:
    """A server with one client, and it is the server who closes first."""
    listener = socket(AF_INET, SOCK_STREAM)
    try:
        if reuse:
            setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, 1)
        bind(listener, ENDPOINT)
        listen(listener, 5)
        client_pid = fork(client, listener)
        connection, _address = await accept(listener)
        close(connection)
        await waitpid(client_pid)
    finally:
        close(listener)


async def client(listener: int) -> None:
    close(listener)
    sock = socket(AF_INET, SOCK_STREAM)
    await connect(sock, ENDPOINT)
    await recv(sock, 100)
    close(sock)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main, "The server tries again until the minute is over")
    stage.show(corrected, "SO_REUSEADDR, for both")
    return 0


if __name__ == "__main__":
    sys.exit(run())

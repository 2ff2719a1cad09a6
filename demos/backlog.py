"""A full backlog makes the next client wait for an accept.

A connection to a UNIX listener is complete before it is accepted: it waits in
the backlog, and its client may already send.  listen(1) lets two wait (Linux
admits one more than asked).  The third client's connect sleeps until there is
room again.
"""

import sys
from socket import AF_UNIX, SOCK_STREAM

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
    socket,
    unlink,
    waitpid,
    write,
)

STDOUT = 1
PATH = "/tmp/service"


async def main() -> None:
    listener = socket(AF_UNIX, SOCK_STREAM)
    bind(listener, PATH)
    listen(listener, 1)
    pids = [fork(client, listener, number) for number in (1, 2, 3)]

    await anyio.sleep(1)
    look("two wait in the backlog, and the third client waits for room")

    for _ in pids:
        connection, _nobody = await accept(listener)
        await write(STDOUT, await recv(connection, 100) + b"\n")
        close(connection)
    close(listener)
    unlink(PATH)
    for pid in pids:
        await waitpid(pid)


async def client(listener: int, number: int) -> None:
    close(listener)
    await anyio.sleep(number / 10)  # one after the other
    sock = socket(AF_UNIX, SOCK_STREAM)
    await connect(sock, PATH)
    await send(sock, b"hello from client %d" % number)
    await recv(sock, 100)
    close(sock)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())

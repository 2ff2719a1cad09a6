"""One process serves many clients: epoll tells who speaks.

A server that reads from one client sleeps there, deaf to all others.  epoll
watches any number of descriptors and tells those that are ready; what it costs
depends on how many are ready, not on how many are watched.
"""

import sys
from socket import SO_REUSEADDR, SOL_SOCKET

import anyio

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import (
    EPOLL_CTL_ADD,
    EPOLLIN,
    accept,
    bind,
    close,
    connect,
    epoll_create1,
    epoll_ctl,
    epoll_wait,
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
ADDRESS = ("127.0.0.1", 7000)
CLIENTS = 3


async def main() -> None:
    listener = socket()
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, 1)  # its port is free when it starts again
    bind(listener, ADDRESS)
    listen(listener)
    pids = [fork(client, number) for number in range(1, CLIENTS + 1)]
    await serve(listener)
    for pid in pids:
        await waitpid(pid)


async def serve(listener: int) -> None:
    epoll = epoll_create1()
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, EPOLLIN)
    gone = 0
    while gone < CLIENTS:
        for fd, _events in await epoll_wait(epoll, 16):
            if fd == listener:
                connection, _address = await accept(listener)
                epoll_ctl(epoll, EPOLL_CTL_ADD, connection, EPOLLIN)
                continue
            question = await recv(fd, 100)
            if question:
                await send(fd, question.upper())
            else:
                close(fd)  # which takes it out of the epoll, too
                gone += 1
    close(epoll)


async def client(number: int) -> None:
    fd = socket()
    await connect(fd, ADDRESS)
    for word in (b"first", b"second"):
        await anyio.sleep(1 / number)  # each at a pace of its own
        await send(fd, b"%s of client %d" % (word, number))
        await write(STDOUT, await recv(fd, 100) + b"\n")


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main)
    return 0


if __name__ == "__main__":
    sys.exit(run())

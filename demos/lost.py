"""UDP drops what a full receiver cannot take, and tells nobody.

Reliable means: what was sent arrives, whole, once and in order, or somebody
is told.  UDP promises nothing of that.  When the receiver's buffer is full the
kernel drops the datagram; the sender's call has succeeded, and neither side
ever learns of it.

UNIX datagrams are reliable: when eleven wait at the receiver
(net.unix.max_dgram_qlen and one), the sender sleeps until one is taken.
"""

import sys
from socket import AF_INET, AF_UNIX, MSG_DONTWAIT, SO_RCVBUF, SOCK_DGRAM, SOL_SOCKET

import anyio

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import (
    bind,
    close,
    fork,
    recv,
    sendto,
    setsockopt,
    socket,
    unlink,
    waitpid,
    write,
)

STDOUT = 1
ENDPOINT = ("127.0.0.1", 7000)
PATH = "/tmp/mailbox"


async def unreliable() -> None:
    receiver = socket(AF_INET, SOCK_DGRAM)
    setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, 2000)  # room for four of them
    bind(receiver, ENDPOINT)
    sender = socket(AF_INET, SOCK_DGRAM)
    for number in range(1, 6):
        await sendto(sender, b"letter %d" % number, ENDPOINT)
    await report(receiver)
    close(sender)
    close(receiver)


async def report(receiver: int) -> None:
    """Say what has arrived."""
    try:
        while True:
            letter = await recv(receiver, 100, MSG_DONTWAIT)
            await write(STDOUT, b"got " + letter + b"\n")
    except BlockingIOError:
        await write(STDOUT, b"there is no more\n")


async def reliable() -> None:
    receiver = socket(AF_UNIX, SOCK_DGRAM)
    bind(receiver, PATH)
    sender_pid = fork(sender, receiver)
    await anyio.sleep(1)
    for _ in range(12):
        letter = await recv(receiver, 100)
    await write(STDOUT, b"the last one is " + letter + b"\n")
    close(receiver)
    unlink(PATH)
    await waitpid(sender_pid)


async def sender(receiver: int) -> None:
    close(receiver)
    sock = socket(AF_UNIX, SOCK_DGRAM)
    for number in range(1, 13):
        await sendto(sock, b"letter %d" % number, PATH)
    close(sock)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(unreliable, "Over UDP, five letters and a small buffer")
    stage.show(reliable, "In the UNIX domain, twelve letters")
    return 0


if __name__ == "__main__":
    sys.exit(run())

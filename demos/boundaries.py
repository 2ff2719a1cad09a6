"""A stream joins what was sent apart; datagrams do not.

The same two sends, once over a pair of stream sockets and once over a pair of
datagram sockets.  In the stream they are five bytes in a row, and one recv
takes them all.  As datagrams they stay two, and each recv takes one of them,
however much room its buffer has.
"""

import sys
from socket import AF_UNIX, SOCK_DGRAM, SOCK_STREAM

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import close, recv, send, socketpair, write

STDOUT = 1


async def stream() -> None:
    sender, receiver = socketpair(AF_UNIX, SOCK_STREAM)
    await send(sender, b"abc")
    await send(sender, b"de")

    received = await recv(receiver, 100)
    await write(STDOUT, b"one recv: " + received + b"\n")
    close(sender)
    close(receiver)


async def datagrams() -> None:
    sender, receiver = socketpair(AF_UNIX, SOCK_DGRAM)
    await send(sender, b"abc")
    await send(sender, b"de")

    first = await recv(receiver, 100)
    second = await recv(receiver, 100)
    await write(STDOUT, b"two recvs: " + first + b", " + second + b"\n")
    close(sender)
    close(receiver)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(stream, "A stream")
    stage.show(datagrams, "Datagrams")
    return 0


if __name__ == "__main__":
    sys.exit(run())

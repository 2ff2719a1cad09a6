"""A datagram was cut, because the buffer was too small.

A recv takes one datagram, and what does not fit into its buffer is dropped.
The call succeeds and gives no sign.  recvmsg does: MSG_TRUNC in its flags.
One can also ask before: with MSG_PEEK the datagram stays where it is, and with
MSG_TRUNC the answer is its real length.
"""

import sys
from socket import AF_UNIX, MSG_PEEK, MSG_TRUNC, SOCK_DGRAM

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import close, recv, recv_into, recvmsg, send, socketpair, write

STDOUT = 1
ORDER = b"pay 1000000"


async def main() -> None:
    sender, receiver = socketpair(AF_UNIX, SOCK_DGRAM)
    await send(sender, ORDER)
    order = await recv(receiver, 8)
    await write(STDOUT, b"the order is: " + order + b"\n")
    close(sender)
    close(receiver)


async def told() -> None:
    sender, receiver = socketpair(AF_UNIX, SOCK_DGRAM)
    await send(sender, ORDER)
    order, _ancillary, flags, _address = await recvmsg(receiver, 8)
    if flags & MSG_TRUNC:
        await write(STDOUT, b"the order was cut after: " + order + b"\n")
    close(sender)
    close(receiver)


async def corrected() -> None:
    sender, receiver = socketpair(AF_UNIX, SOCK_DGRAM)
    await send(sender, ORDER)
    length = await recv_into(receiver, bytearray(1), 1, MSG_PEEK | MSG_TRUNC)
    order = await recv(receiver, length)
    await write(STDOUT, b"the order is: " + order + b"\n")
    close(sender)
    close(receiver)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main, "recv cuts in silence")
    stage.show(told, "recvmsg tells")
    stage.show(corrected, "The length is asked for first")
    return 0


if __name__ == "__main__":
    sys.exit(run())

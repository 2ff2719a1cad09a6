"""A sender and a receiver of datagrams, without a connection.

The receiver makes a socket and binds it to a name; only then can somebody
write to it.  The sender needs no name and no connection, only the receiver's
address with every datagram.  recvfrom tells who has sent it.

The same program, twice: the name is an address and a port (UDP), or a path
in the file system (UNIX).  A UDP socket that sends gets a port by itself, so
one can answer it; a UNIX socket without a name stays without one.
"""

import sys
from socket import AF_INET, AF_UNIX, SOCK_DGRAM

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import bind, close, fork, recvfrom, sendto, socket, unlink, waitpid, write

STDOUT = 1
ENDPOINT = ("127.0.0.1", 7000)
PATH = "/tmp/mailbox"


async def internet() -> None:
    receiver = socket(AF_INET, SOCK_DGRAM)
    bind(receiver, ENDPOINT)
    sender_pid = fork(internet_sender)

    message, address = await recvfrom(receiver, 100)
    await write(STDOUT, message + b"\n")
    if address is not None:
        await sendto(receiver, b"thank you", address)
    close(receiver)
    await waitpid(sender_pid)


async def internet_sender() -> None:
    sender = socket(AF_INET, SOCK_DGRAM)
    await sendto(sender, b"message for the receiver", ENDPOINT)
    await recvfrom(sender, 100)
    close(sender)


async def unix() -> None:
    receiver = socket(AF_UNIX, SOCK_DGRAM)
    bind(receiver, PATH)
    sender_pid = fork(unix_sender)

    message, _nobody = await recvfrom(receiver, 100)
    await write(STDOUT, message + b"\n")
    close(receiver)
    unlink(PATH)  # the name is a file, and outlives the socket
    await waitpid(sender_pid)


async def unix_sender() -> None:
    sender = socket(AF_UNIX, SOCK_DGRAM)
    await sendto(sender, b"message for the receiver", PATH)
    close(sender)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(internet, "Over UDP")
    stage.show(unix, "In the UNIX domain")
    return 0


if __name__ == "__main__":
    sys.exit(run())

"""TCP through a wire that loses 30 %: late, but whole.

TCP sends again what is not acknowledged: at once where acknowledgements of
later segments tell that one is missing, else when its timer ends, and that
waits twice as long after each failure.  Acknowledgements are lost, too, so
some of what is sent again had arrived.  The programs see nothing of it but the
time.

The picture is read off the packets.  Time goes down, the stream goes right:
█ sent, and arrives    x sent, and is lost    ┃ acknowledged, all to its left
▒ and * are the same for what was sent before.
"""

import sys
from hashlib import sha256
from socket import AF_INET, SHUT_WR, SOCK_STREAM

import anyio

from asyncipc import current_simulation
from asyncipc.cli.showing import SIMULATED, Stage, remark
from asyncipc.posix import accept, bind, close, connect, listen, recv, send, shutdown, socket
from asyncipc.trace.sequence import TimeSequence

ENDPOINT = ("10.0.0.2", 7000)
LETTER = b"".join(b"line %04d of the letter\n" % number for number in range(1000))


async def main() -> None:
    simulation = current_simulation()
    server = simulation.host("server", ENDPOINT[0])
    client = simulation.host("client", "10.0.0.1")
    simulation.link(client, server, latency=0.05, loss=0.3)
    async with anyio.create_task_group() as both:
        both.start_soon(client.run, deliver)
        received = await server.run(collect)
    there = "the same" if sha256(received).digest() == sha256(LETTER).digest() else "others"
    remark(f"sent {len(LETTER)} bytes, received {len(received)}: {there}")
    simulation.network.check_conservation()


async def deliver() -> None:
    sock = socket(AF_INET, SOCK_STREAM)
    await connect(sock, ENDPOINT)
    left = LETTER
    while left:
        left = left[await send(sock, left) :]
    shutdown(sock, SHUT_WR)
    await recv(sock, 1)  # b"": the server has read all of it
    close(sock)


async def collect() -> bytes:
    listener = socket(AF_INET, SOCK_STREAM)
    bind(listener, ENDPOINT)
    listen(listener)
    connection, _address = await accept(listener)
    received = b""
    while some := await recv(connection, 65536):
        received += some
    close(connection)
    close(listener)
    return received


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    segments = TimeSequence("client", "server")
    stage.show_network(main, "A letter of 24 kB", segments)
    if segments.segments:
        print(segments)
        print(
            f"\n{len(segments.segments)} segments with data, {segments.lost} lost, "
            f"{segments.again} sent again"
        )
    return 0


if __name__ == "__main__":
    sys.exit(run())

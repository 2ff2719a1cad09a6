"""One letter at a time, or many on their way: a sliding window.

What wants to be reliable over a wire that loses asks for acknowledgements, and
sends again what is not acknowledged in time.  Stop-and-wait sends a letter and
waits for its acknowledgement: one letter for each round trip, however fast the
wire is.  And a letter that is lost holds up all others.

A window allows several on their way: the wire is busy, and a lost letter stops
the others only when the window is full.  What fits into the wire, here 11
letters, would be enough if none were lost.  (TCP has such a window, and finds
out how large to be.)
"""

import sys
from select import POLLIN
from socket import AF_INET, SOCK_DGRAM

import anyio

from asyncipc import current_simulation
from asyncipc.cli.showing import SIMULATED, Stage, remark
from asyncipc.posix import bind, close, connect, poll, recv, recvfrom, send, sendto, socket

ENDPOINT = ("10.0.0.2", 7000)
LETTERS = 100
LETTER = bytes(972)  # 1000 bytes on the wire, with the heads
RATE = 1_000_000
LATENCY_S = 0.04
PATIENCE_S = 0.3
WINDOWS = (1, 2, 4, 8, 16, 32)


async def main() -> None:
    simulation = current_simulation()
    receiver = simulation.host("receiver", ENDPOINT[0])
    sender = simulation.host("sender", "10.0.0.1")
    simulation.link(sender, receiver, latency=LATENCY_S, bandwidth=RATE, loss=0.05)
    receiver.serve(acknowledge)
    remark("window   seconds   letters/s   sent again   of the wire's rate")
    for window in WINDOWS:
        seconds, again = await sender.run(transfer, window)
        rate = LETTERS / seconds
        share = rate * 8 * 1000 / RATE
        remark(
            f"{window:>6}{seconds:>10.2f}{rate:>12.1f}{again:>13}   "
            f"{share:>4.0%} {'█' * round(24 * share)}"
        )


async def acknowledge() -> None:
    sock = socket(AF_INET, SOCK_DGRAM)
    bind(sock, ENDPOINT)
    while True:
        letter, address = await recvfrom(sock, 2000)
        if address is not None:
            await sendto(sock, letter[:4], address)


async def transfer(window: int) -> tuple[float, int]:
    """How long it took until all were acknowledged; and how many were sent again."""
    sock = socket(AF_INET, SOCK_DGRAM)
    await connect(sock, ENDPOINT)
    began = anyio.current_time()
    due: dict[int, float] = {}  # what is on its way, and until when it is waited for
    following = again = 0
    while due or following < LETTERS:
        while following < min(LETTERS, min(due, default=following) + window):
            await post(sock, following, due)
            following += 1
        oldest = min(due, key=lambda number: due[number])
        if await poll([(sock, POLLIN)], max(0.0, due[oldest] - anyio.current_time())):
            due.pop(int.from_bytes(await recv(sock, 100)), None)
        else:
            await post(sock, oldest, due)
            again += 1
    close(sock)
    return anyio.current_time() - began, again


async def post(sock: int, number: int, due: dict[int, float]) -> None:
    await send(sock, number.to_bytes(4) + LETTER[4:])
    due[number] = anyio.current_time() + PATIENCE_S


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show_network(main, f"{LETTERS} letters, 1 Mbit/s, 80 ms there and back, 5 % lost")
    return 0


if __name__ == "__main__":
    sys.exit(run())

"""The same datagrams over a clean wire, and over a bad one.

UDP promises nothing, and on one machine that is easily forgotten.  A wire
loses datagrams, lets one overtake another, delivers one twice, and flips bits.
The program has to find all that out by itself: here every letter has a number.

What is damaged the receiver's kernel drops, because its checksum tells: for
UDP, damage is loss.  Without checksums the program gets it, and has to look.

Beside what the program has seen stands what the link has counted (every packet
that was sent or copied has arrived, or was dropped for a cause), and what the
kernel.
"""

import sys
from select import POLLIN
from socket import AF_INET, SOCK_DGRAM

import anyio

from asyncipc import current_simulation
from asyncipc.cli.showing import SIMULATED, Stage, remark
from asyncipc.network.links.conditions import PERFECT, Conditions, conditions
from asyncipc.posix import bind, close, nanosleep, poll, recv, sendto, socket

ENDPOINT = ("10.0.0.2", 7000)
LETTERS = 250
FIRST = 20
BAD = conditions(latency=0.02, loss=0.1, duplicate=0.1, reorder=0.1, corrupt=0.1)


async def clean() -> None:
    await correspond(PERFECT)


async def bad() -> None:
    await correspond(BAD)


async def unchecked() -> None:
    await correspond(BAD, checksums=False)


async def correspond(wire: Conditions, checksums: bool = True) -> None:
    simulation = current_simulation()
    receiver = simulation.host("receiver", ENDPOINT[0])
    sender = simulation.host("sender", "10.0.0.1")
    simulation.network.one_way(sender, receiver, wire)
    receiver.checksums = checksums
    async with anyio.create_task_group() as both:
        both.start_soon(sender.run, send)
        came = await receiver.run(receive)
    report(came)
    link = simulation.network.statistics(sender, receiver)
    remark(
        f"link: {link.sent} sent + {link.copied} copied = {link.arrived} arrived + {link.lost} lost"
    )
    damaged = dict(receiver.traffic().dropped).get("damage", 0)
    remark(f"receiver's kernel: {damaged} dropped (damage)")
    simulation.network.check_conservation()


def letter(number: int) -> bytes:
    """Its number stands in it twice: a bit that flips does not make another's of it."""
    return b"letter %03d of %03d: pay Bert 100" % (number, number)


NUMBERS = {letter(number): number for number in range(1, LETTERS + 1)}


async def send() -> None:
    sock = socket(AF_INET, SOCK_DGRAM)
    for number in range(1, LETTERS + 1):
        await sendto(sock, letter(number), ENDPOINT)
        await nanosleep(0.005)
    close(sock)


async def receive() -> list[bytes]:
    """All that comes, until nothing has come for a second."""
    sock = socket(AF_INET, SOCK_DGRAM)
    bind(sock, ENDPOINT)
    came = []
    while await poll([(sock, POLLIN)], 1.0):
        came.append(await recv(sock, 100))
    close(sock)
    return came


def report(came: list[bytes]) -> None:
    """What the receiver can tell from the letters alone."""
    seen: dict[int, None] = {}
    twice = late = 0
    damaged = [text for text in came if text not in NUMBERS]
    for number in (NUMBERS[text] for text in came if text in NUMBERS):
        twice += number in seen
        late += bool(seen) and number < max(seen) and number not in seen
        seen[number] = None
    remark(f"came: {' '.join(str(NUMBERS.get(text, '?')) for text in came[:FIRST])} …")
    remark(
        f"program: {len(came)} letters; {LETTERS - len(seen)} missing, {twice} twice, "
        f"{late} late, {len(damaged)} damaged"
    )
    for text in damaged[:3]:
        remark(f"    {text!r}")


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show_network(clean, "A clean wire")
    stage.show_network(bad, "A bad wire: 10 % each are lost, doubled, overtaking, damaged")
    stage.show_network(unchecked, "The same wire, and nobody looks at checksums")
    return 0


if __name__ == "__main__":
    sys.exit(run())

"""Five hosts, one leader; the network is cut: two leaders.

The simplest election: everybody tells everybody that he lives, and who has the
lowest number of all that live leads.  Nobody crashes, and everybody keeps to
the rule.  Then the network is cut.  For each part of it the others are dead,
and each has its leader: both give orders.

The cure is to count.  Only who hears a majority, himself included, may lead or
follow: of two parts only one can have it.  The other has no leader, and has to
wait.  (And who has lost the majority must notice that before the others elect:
for a while nobody leads.)
"""

import sys
from select import POLLIN
from socket import AF_INET, SOCK_DGRAM

import anyio

from asyncipc import current_simulation
from asyncipc.cli.showing import SIMULATED, Stage, remark
from asyncipc.posix import bind, nanosleep, poll, recv, sendto, socket

PORT = 7000
HOSTS = (1, 2, 3, 4, 5)
MAJORITY = 3
BEAT_S = 0.5
DEAD_S = 4.0
COUNTS_S = 1.5
"""A beat that is older makes no majority: one leader has given up before the next begins."""

Board = dict[int, int | None]


async def main() -> None:
    await elect(quorum=1)


async def corrected() -> None:
    await elect(quorum=MAJORITY)


async def elect(quorum: int) -> None:
    simulation = current_simulation()
    hosts = [simulation.host(f"n{number}", address_of(number)) for number in HOSTS]
    simulation.network.links(latency=0.02, jitter=0.01)
    board: Board = dict.fromkeys(HOSTS)
    for number, host in zip(HOSTS, hosts, strict=True):
        host.serve(live, number, quorum, board)
    remark("host        1  2  3  4  5")
    await watch(board, 3)
    remark("── 1 and 2 are cut off from 3, 4 and 5")
    with simulation.partition(hosts[:2], hosts[2:]):
        await watch(board, 7)
    remark("── the cut is healed")
    await watch(board, 3)


async def watch(board: Board, seconds: int) -> None:
    """Say each second whom each of the hosts follows, and who thinks that it leads."""
    for _ in range(seconds):
        await anyio.sleep(1)
        leaders = [str(number) for number in HOSTS if board[number] == number]
        followed = "  ".join(str(board[number] or "-") for number in HOSTS)
        told = f"{' and '.join(leaders) or 'nobody'} {'lead' if len(leaders) > 1 else 'leads'}"
        remark(f"follows     {followed}    {told}{', TWO LEADERS' * (len(leaders) > 1)}")


def address_of(number: int) -> str:
    return f"10.0.0.{number}"


async def live(own: int, quorum: int, board: Board) -> None:
    """Beat, listen, and follow the lowest number that is heard."""
    sock = socket(AF_INET, SOCK_DGRAM)
    bind(sock, (address_of(own), PORT))
    await nanosleep(current_simulation().dice(f"start of {own}").random() * BEAT_S)
    heard: dict[int, float] = {}
    while True:
        now = anyio.current_time()
        for other in HOSTS:
            if other != own:
                await sendto(sock, b"%d lives" % own, (address_of(other), PORT))
        while await poll([(sock, POLLIN)], max(0.0, now + BEAT_S - anyio.current_time())):
            heard[int((await recv(sock, 100)).split()[0])] = anyio.current_time()
        ages = {number: anyio.current_time() - at for number, at in heard.items()}
        counted = 1 + sum(age < COUNTS_S for age in ages.values())
        alive = [own, *(number for number, age in ages.items() if age < DEAD_S)]
        board[own] = min(alive) if counted >= quorum else None


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show_network(main, "Who hears nobody leads")
    stage.show_network(corrected, "Who hears a majority may lead")
    return 0


if __name__ == "__main__":
    sys.exit(run())

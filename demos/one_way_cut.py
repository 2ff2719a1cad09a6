"""A hears B, B does not hear A: half a wire is worse than none.

Over TCP, what B sends arrives; its acknowledgement does not.  B sends the same
again and again, and gives up (ETIMEDOUT).  A is not told.  It waits for more,
for ever, on a connection that nobody else has any more: for A, all is well.

Heartbeats over UDP divide them, too.  B hears nothing, and counts A as dead.
A hears B's heart, and counts B as alive: it goes on sending to somebody who
gets nothing.  The cure: each beat tells whether the other is heard.
"""

import sys
from select import POLLIN
from socket import AF_INET, SOCK_DGRAM, SOCK_STREAM, SOL_TCP

import anyio

from asyncipc import Host, current_simulation
from asyncipc.cli.showing import SIMULATED, Stage, remark
from asyncipc.posix import (
    accept,
    bind,
    close,
    connect,
    listen,
    nanosleep,
    poll,
    recv,
    send,
    sendto,
    setsockopt,
    socket,
)

A, B = "10.0.0.1", "10.0.0.2"
PORT = 7000
TCP_USER_TIMEOUT = 18
BEAT_S = 1.0
DEAD_S = 3.0


def hosts() -> tuple[Host, Host]:
    simulation = current_simulation()
    a, b = simulation.host("a", A), simulation.host("b", B)
    simulation.link(a, b, latency=0.05, jitter=0.02)
    return a, b


async def over_tcp() -> None:
    a, b = hosts()
    b.serve(news)
    async with anyio.create_task_group() as both:
        both.start_soon(a.run, read_news)
        await anyio.sleep(3.5)
        remark("── what A sends does not arrive any more")
        with current_simulation().network.cut(a, b):
            await anyio.sleep(25)
        remark("── it does again")
    network = current_simulation().network
    remark(f"a → b: {network.statistics(a, b).describe()}")
    remark(f"b → a: {network.statistics(b, a).describe()}")


async def news() -> None:
    listener = socket(AF_INET, SOCK_STREAM)
    bind(listener, (B, PORT))
    listen(listener)
    connection, _address = await accept(listener)
    setsockopt(connection, SOL_TCP, TCP_USER_TIMEOUT, 10_000)  # it would be a quarter of an hour
    number = 0
    try:
        while True:
            number += 1
            await send(connection, b"news %d" % number)
            await nanosleep(1)
    except OSError as error:
        remark(f"B: news {number}: {error.strerror}")
    close(connection)
    close(listener)


async def read_news() -> None:
    sock = socket(AF_INET, SOCK_STREAM)
    await connect(sock, (B, PORT))
    while await poll([(sock, POLLIN)], 12) and (text := await recv(sock, 100)):
        remark(f"A: {text.decode()}")
    remark("A: no news for 12 seconds, and no error.  Is anybody there?")
    await send(sock, b"hello?")
    try:
        answer = await recv(sock, 100)
        remark(f"A: {answer.decode() or 'B has closed'}")
    except ConnectionResetError as error:
        remark(f"A: {error.strerror}")
    close(sock)


async def by_heartbeat() -> None:
    await hear_each_other(asks=False)


async def corrected() -> None:
    await hear_each_other(asks=True)


async def hear_each_other(asks: bool) -> None:
    a, b = hosts()
    known = dict.fromkeys((A, B), "unknown")
    a.serve(heart, A, B, asks, known)
    b.serve(heart, B, A, asks, known)
    await anyio.sleep(3.5)
    remark(f"A: B is {known[A]:<8} B: A is {known[B]}")
    remark("── what A sends does not arrive any more")
    with current_simulation().network.cut(a, b):
        await anyio.sleep(8)
        remark(f"A: B is {known[A]:<8} B: A is {known[B]}")
    remark("── it does again")
    await anyio.sleep(4)
    remark(f"A: B is {known[A]:<8} B: A is {known[B]}")


async def heart(own: str, peer: str, asks: bool, known: dict[str, str]) -> None:
    """Beat, and listen.  ``asks``: only who hears us counts as alive."""
    sock = socket(AF_INET, SOCK_DGRAM)
    bind(sock, (own, PORT))
    await nanosleep(current_simulation().dice(f"heart of {own}").random() * BEAT_S)
    heard, is_heard = anyio.current_time(), True  # to begin with
    while True:
        until = anyio.current_time() + BEAT_S
        hears = anyio.current_time() - heard < DEAD_S
        await sendto(sock, b"I hear you" if hears else b"I hear nothing", (peer, PORT))
        while await poll([(sock, POLLIN)], max(0.0, until - anyio.current_time())):
            is_heard = await recv(sock, 100) == b"I hear you"
            heard = anyio.current_time()
        if anyio.current_time() - heard >= DEAD_S:
            known[own] = "dead"
        else:
            known[own] = "alive" if is_heard or not asks else "deaf"


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show_network(over_tcp, "B sends news to A over TCP, every second")
    stage.show_network(by_heartbeat, "Both send a heartbeat, every second")
    stage.show_network(corrected, "The heartbeat tells whether the other is heard")
    return 0


if __name__ == "__main__":
    sys.exit(run())

"""A request without an answer: nobody knows what became of it.

A server books orders in its ledger and answers.  In the middle of order 3 its
power fails.  The order is booked (the disk survives), the answer is never
sent.  A client that does not ask again has to report a failure, though it was
booked; and just so of order 4, which was not, because the server was still
down: at most once.

One that asks again, each time after a longer pause, and a random part of it
lest all clients come back at the same moment, gets its answer at last; but
order 3 is booked twice: at least once.

The cure is with the server.  Every order has a key, the same in each attempt,
and what is in the ledger is not booked again, only answered.
"""

import sys
from os import O_APPEND, O_CREAT, O_RDWR
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET

import anyio

from asyncipc import current_simulation
from asyncipc.cli.showing import SIMULATED, Stage, remark
from asyncipc.network.faults.schedule import Schedule, event
from asyncipc.posix import (
    accept,
    bind,
    close,
    connect,
    listen,
    open,  # noqa: A004 (this is open(2))
    pread,
    recv,
    send,
    setsockopt,
    socket,
    write,
)

ENDPOINT = ("10.0.0.2", 7000)
ORDERS = 6
WORK_S = 0.4
PATIENCE_S = 0.9
PAUSE_S = 0.5
POWER_CUT = Schedule([event(3.3, "crash", "server", until_s=4.95)])


async def at_most_once() -> None:
    await order(attempts=1, by_key=False)


async def at_least_once() -> None:
    await order(attempts=8, by_key=False)


async def corrected() -> None:
    await order(attempts=8, by_key=True)


async def order(attempts: int, by_key: bool) -> None:
    simulation = current_simulation()
    server = simulation.host("server", ENDPOINT[0])
    client = simulation.host("client", "10.0.0.1")
    simulation.link(client, server, latency=0.02, jitter=0.01)
    server.serve(serve, by_key)
    simulation.network.play(POWER_CUT)
    answered = await client.run(ask_for_all, attempts)
    booked = await server.run(read_ledger)
    remark(f"answered: {' '.join(answered)}")
    remark(f"booked:   {' '.join(booked)}")


# -- the client


async def ask_for_all(attempts: int) -> list[str]:
    """Orders 1, 2, 3, … one a second; which of them were answered."""
    answered = []
    for number in range(1, ORDERS + 1):
        await anyio.sleep_until(max(float(number), anyio.current_time()))
        if await insist(str(number), attempts):
            answered.append(str(number))
    return answered


async def insist(key: str, attempts: int) -> bool:
    """Ask until there is an answer, with pauses that grow: exponential backoff with jitter."""
    die = current_simulation().dice(f"pauses of order {key}")
    for attempt in range(1, attempts + 1):
        if await ask(key):
            remark(f"order {key}, attempt {attempt}: booked")
            return True
        if attempt == attempts:
            break
        pause = PAUSE_S * 2 ** (attempt - 1) * die.uniform(0.5, 1)
        remark(f"order {key}, attempt {attempt}: no answer; once more in {pause:.3f} s")
        await anyio.sleep(pause)
    remark(f"order {key}, attempt {attempts}: no answer.  FAILED, or was it?")
    return False


async def ask(key: str) -> bool:
    """One attempt.  Without an answer nobody knows what has become of it."""
    sock = socket(AF_INET, SOCK_STREAM)
    try:
        with anyio.move_on_after(PATIENCE_S):
            await connect(sock, ENDPOINT)
            await send(sock, key.encode())
            return await recv(sock, 100) == b"booked"
    except ConnectionError:
        pass
    finally:
        close(sock)
    return False


# -- the server


async def serve(by_key: bool) -> None:
    remark("the server starts")
    ledger = await open("ledger", O_RDWR | O_CREAT | O_APPEND)
    listener = socket(AF_INET, SOCK_STREAM)
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, 1)
    bind(listener, ENDPOINT)
    listen(listener)
    while True:
        connection, _address = await accept(listener)
        await book(ledger, connection, by_key)
        close(connection)


async def book(ledger: int, connection: int, by_key: bool) -> None:
    try:
        key = await recv(connection, 100)
        if key and not (by_key and key in keys_in(ledger)):
            await write(ledger, key + b"\n")
            await anyio.sleep(WORK_S)
        await send(connection, b"booked")
    except ConnectionError:
        pass  # the client has gone


def keys_in(ledger: int) -> list[bytes]:
    return pread(ledger, 10_000, 0).split()


async def read_ledger() -> list[str]:
    ledger = await open("ledger", O_RDWR | O_CREAT)
    keys = keys_in(ledger)
    close(ledger)
    return [key.decode() for key in keys]


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    print(f"The power cut, as the schedule of faults has it: {POWER_CUT}\n")
    stage.show_network(at_most_once, "The client asks once")
    stage.show_network(at_least_once, "The client asks again")
    stage.show_network(corrected, "The client asks again, and the server knows what it has booked")
    return 0


if __name__ == "__main__":
    sys.exit(run())

"""Five hosts that gossip over bad links: a network in which most of what can happen does.

As a program (``python -m tests.network.gossip BACKEND SEED SEED ...``) it prints a
line with the digest of the events of each seed.
"""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Iterable

import anyio

import asyncipc
from asyncipc import posix
from asyncipc.network.faults.rules import Delay, Drop
from asyncipc.trace.digest import Digest

HOSTS = 5
ROUNDS = 6
UDP, TCP = 7000, 7001
SECONDS = 3.0


class Member:
    """A host's gossip: what it knows, whom it tells, and a file it sends now and then."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.known = {number: 0}
        self.die: random.Random

    def choose(self) -> str:
        return address(self.die.choice([n for n in range(HOSTS) if n != self.number]))

    async def main(self) -> None:
        self.die = asyncipc.current_simulation().dice(f"gossip {self.number}")
        async with anyio.create_task_group() as group:
            group.start_soon(self.listen)
            group.start_soon(self.serve)
            group.start_soon(self.tell)
            group.start_soon(self.visit)

    async def listen(self) -> None:
        fd = posix.socket(socket.AF_INET, socket.SOCK_DGRAM)
        posix.bind(fd, ("0.0.0.0", UDP))
        while True:
            data, _ = await posix.recvfrom(fd, 10_000)
            for line in data.decode().split():
                number, _, version = line.partition("=")
                self.known[int(number)] = max(int(version), self.known.get(int(number), 0))

    async def tell(self) -> None:
        fd = posix.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(ROUNDS):
            await anyio.sleep(self.die.uniform(0.01, 0.3))
            self.known[self.number] += 1
            rumour = "".join(f"{number}={version}\n" for number, version in self.known.items())
            text = rumour.encode() * self.die.choice([1, 1, 20, 200])
            try:
                await posix.sendto(fd, text, (self.choose(), UDP))
            except OSError:  # nobody there, or no way there
                continue

    async def serve(self) -> None:
        fd = posix.socket(socket.AF_INET, socket.SOCK_STREAM)
        posix.bind(fd, ("0.0.0.0", TCP))
        posix.listen(fd, 2)
        async with anyio.create_task_group() as group:
            while True:
                connected, _ = await posix.accept(fd)
                group.start_soon(self.echo, connected)

    async def echo(self, fd: int) -> None:
        try:
            while data := await posix.recv(fd, 4000):
                await posix.send(fd, data)
        except OSError:
            pass
        finally:
            posix.close(fd)

    async def visit(self) -> None:
        await anyio.sleep(self.die.uniform(0, 1))
        fd = posix.socket(socket.AF_INET, socket.SOCK_STREAM)
        with anyio.move_on_after(1.5):
            try:
                await posix.connect(fd, (self.choose(), TCP))
                await posix.send(fd, b"x" * self.die.randrange(20_000))
                posix.shutdown(fd, socket.SHUT_WR)
                while await posix.recv(fd, 3000):
                    pass
            except OSError:
                pass
        posix.close(fd)


def address(number: int) -> str:
    return f"10.0.0.{number + 1}"


async def gossip() -> None:
    """Some time with all of them, and whatever befalls them."""
    sim = asyncipc.current_simulation()
    die = sim.dice("faults")
    hosts = [sim.host(f"host{number}", address(number)) for number in range(HOSTS)]
    sim.network.links(
        latency=0.02,
        jitter=0.01,
        keep_order=die.random() < 0.5,
        loss=0.1,
        duplicate=0.05,
        reorder=0.05,
        corrupt=0.02,
        bandwidth=die.choice([500_000, 5_000_000]),
        queue=20,
    )
    for number, host in enumerate(hosts):
        host.serve(Member(number).main)
    await anyio.sleep(SECONDS / 3)
    with (
        sim.partition(hosts[:2], hosts[2:], how=die.choice(["drop", "hold"]), in_flight=True),
        sim.network.rule(lambda packet, journey: Drop() if die.random() < 0.1 else None),
        sim.network.rule(lambda packet, journey: Delay(0.1) if die.random() < 0.1 else None),
    ):
        victim, other = die.sample(hosts, 2)
        victim.crash()
        other.pause()
        await anyio.sleep(SECONDS / 3)
    other.resume()
    victim.restart()
    await anyio.sleep(SECONDS / 3)
    sim.network.check_conservation()


def digest_of(seed: int, backend: str = "trio") -> Digest:
    digest = Digest()
    asyncipc.run(gossip, seed=seed, backend=backend, observers=[digest])  # type: ignore[arg-type]
    return digest


def print_digests(backend: str, seeds: Iterable[int]) -> None:
    for seed in seeds:
        digest = digest_of(seed, backend)
        print(seed, digest.events, digest.hexdigest(), flush=True)


if __name__ == "__main__":
    print_digests(sys.argv[1], map(int, sys.argv[2:]))

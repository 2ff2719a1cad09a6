"""Worlds: hosts that talk through the weather of a seed, and the laws that hold in all of them.

* What a reader got is a prefix of what was written; where it saw the end, all of it.
* A connection that nobody broke is complete when the network is healed.
* A datagram that was received was sent, to this host, and not more often than the wire copied it.
* Packets are conserved on every link, whenever one is sent, dropped or arrives.
* When all programs are over, nothing is left of them in any host, and no timer is armed.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from random import Random
from typing import Final, TypeAlias

from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets.address import Inet6Address, InetAddress
from asyncipc.kernel.sockets.options import SO_REUSEADDR, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6, SOCK_STREAM
from asyncipc.kernel.tcp.options import TCP_DEFER_ACCEPT
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.network.packet import Packet
from tests.network.chatter import Chatter
from tests.network.conversations import MANNERS, End, Ending
from tests.network.lab import SECOND, Host, Lab
from tests.network.tasks import Program, Task
from tests.network.weather import Weather

PORT: Final = 80
Names: TypeAlias = tuple[InetAddress, InetAddress]
"""A client's, and whom it calls."""
TAKEN: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)
PATIENCE_S: Final = 2_000.0
"""After which whoever is not done never will be; retransmission gives up after 924 seconds."""
AFTERMATH_S: Final = 4_000.0


class Conversation:
    """A connection: ``near`` is the client's end.  ``is_gentle``: nobody breaks it."""

    def __init__(self, lab: Lab, client: Host, server: Host, die: Random, *, rough: bool) -> None:
        manners = MANNERS if rough else ("half", "half", "late")
        near = Ending(die, manners)
        far = Ending(die, ("half",) if near.manner == "late" else manners)
        self.lab, self.client, self.server, self.die = lab, client, server, die
        self.near, self.far = End(lab, near), End(lab, far)
        self.near.peer, self.far.peer = self.far, self.near
        self.starts = die.choice((0.0, 0.0, 0.3, 2.0)) * die.random()
        self.family = die.choice((AF_INET, AF_INET, AF_INET6))
        self.port = 0 if rough else die.choice((0, 0, 0, 4000))
        self.is_gentle = near.is_gentle and far.is_gentle and not rough

    @property
    def ends(self) -> tuple[End, End]:
        return self.near, self.far

    def connect(self, accepting: dict[Names, Conversation]) -> Program:
        """The client's program, up to where it begins to talk."""
        yield self.starts
        yield from self.call(accepting)
        assert self.near.socket is not None
        self.near.begin(self.near.socket, self.die)

    def call(self, accepting: dict[Names, Conversation]) -> Program:
        """Until it gets the port that it wants: its last connection from there may be too near."""
        while True:
            try:
                yield from self.try_once(accepting)
                return
            except OSError as error:
                if error.errno not in TAKEN:
                    raise
                assert self.near.socket is not None
                self.near.socket.drop()
            yield 1.0

    def try_once(self, accepting: dict[Names, Conversation]) -> Program:
        near, host = self.near, self.client
        socket = host.kernel.socket(self.family, SOCK_STREAM, 0)
        assert isinstance(socket, TcpSocket)
        socket.hold()
        near.socket = socket
        near.ending.settle(socket)
        address = address_of(self.server, self.family)
        if self.port:
            socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            own = address_of(host, self.family)
            socket.bind(host.process, own._replace(port=self.port))

        def connect() -> WouldBlock | None:
            try:
                return socket.connect(host.process, address)
            finally:
                if socket.remote is not None:
                    accepting[socket.local, socket.remote] = self

        yield connect

    def describe(self) -> str:
        near, far = self.ends
        port = f" port {self.port}" if self.port else ""
        return (
            f"{self.client.stack.name}{port} > {self.server.stack.name} from {self.starts:.6f} s"
            f" ({near.ending.describe()}; {far.ending.describe()})"
        )


def address_of(host: Host, family: int) -> InetAddress | Inet6Address:
    """Which it has also after it was started anew."""
    if family == AF_INET:
        return InetAddress(host.address, PORT)
    return Inet6Address(host.address.replace("10.0.0.", "fd00::"), PORT)


class World:
    """Of ``seed``.  ``told``: gets a line for all that happens to packets, if somebody looks."""

    def __init__(self, seed: int, told: Callable[[str], None] | None = None) -> None:
        self.die = die = Random(f"world {seed}")
        self.lab = Lab(seed)
        self.told = told
        self.names = list("abcd"[: die.choice((2, 2, 3, 4))])
        self.rough = die.random() < 0.4
        self.crashing = self.rough and die.random() < 0.3
        self.hosts = {name: self.make_host(name) for name in self.names}
        self.weather = Weather(self.lab, die, self.names, rough=self.rough)
        self.chatter = Chatter(self.lab)
        self.tasks: dict[str, list[Task]] = {name: [] for name in self.names}
        self.listeners: dict[str, list[TcpSocket]] = {name: [] for name in self.names}
        self.accepting: dict[Names, Conversation] = {}
        self.is_watched = die.random() < 0.6 or told is not None
        self.conversations = self.draw_conversations()

    def make_host(self, name: str) -> Host:
        number = "abcd".index(name) + 1
        host = self.lab.host(name, f"10.0.0.{number}", f"fd00::{number}")
        take = host.stack.input
        if self.die.random() < 0.1:
            host.stack.mtu = 9000

        def take_in(packet: Packet) -> None:
            self.lab.fabric.check_conservation()
            take(packet)

        host.stack.input = take_in  # type: ignore[method-assign]
        return host

    def draw_conversations(self) -> list[Conversation]:
        """Of those who check what comes."""
        die = self.die
        if die.random() < 0.1:
            self.is_watched = True
            self.hosts[die.choice(self.names)].stack.checksums = False
        names = [name for name in self.names if self.hosts[name].stack.checksums]
        if len(names) < 2:
            return []
        made = []
        for _ in range(die.choice((1, 1, 2, 4))):
            client, server = (self.hosts[name] for name in die.sample(names, 2))
            made.append(Conversation(self.lab, client, server, die, rough=self.rough))
        return made

    # -- its course

    def live(self) -> None:
        """All of it.  AssertionError: a law does not hold."""
        self.begin()
        self.lab.run(self.weather.lasts)
        self.clear()
        self.lab.run(self.weather.lasts + PATIENCE_S)
        self.check_complete()
        self.end()
        self.lab.run(self.lab.now_ns / SECOND + AFTERMATH_S)
        self.check_nothing_is_left()

    def begin(self) -> None:
        if self.is_watched:
            self.lab.fabric.tap = self.watch
        self.weather.begin()
        for name in self.names:
            self.start(name)
        for conversation in self.conversations:
            self.run(conversation.client, self.open(conversation))
        for name in self.names:
            others = [self.hosts[other] for other in self.names if other != name]
            if self.die.random() < 0.5:
                self.run(self.hosts[name], self.chatter.talk(self.hosts[name], others, self.die))
        for _ in range(self.die.choice((0, 0, 1, 2))):
            self.weather.at(self.weather.moment(), self.stand_still)
        if self.crashing:
            self.weather.at(self.weather.moment(), self.crash)

    def run(self, host: Host, program: Program) -> None:
        self.tasks[host.stack.name].append(Task(self.lab, program))

    def start(self, name: str) -> None:
        """A host's entry points."""
        host = self.hosts[name]
        self.run(host, self.serve(host))
        self.run(host, self.chatter.listen(host, self.die))

    def open(self, conversation: Conversation) -> Program:
        yield from conversation.near.guarded(conversation.connect(self.accepting))

    def serve(self, host: Host) -> Program:
        """Accept whoever comes, each once."""
        listener = host.kernel.socket(AF_INET6, SOCK_STREAM, 0)
        assert isinstance(listener, TcpSocket)
        listener.hold()
        listener.bind(host.process, Inet6Address("::", PORT))
        if self.die.random() < 0.1:
            listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 1)
        listener.listen(host.process, self.die.choice((1, 4, 20)))
        self.listeners[host.stack.name].append(listener)
        while True:
            accepted, _ = yield listener.accept
            accepted.hold()
            self.accepted(accepted)

    def accepted(self, socket: TcpSocket) -> None:
        assert socket.remote is not None
        conversation = self.accepting.get((socket.remote, socket.local))
        assert conversation is not None, f"{socket.remote} has not called"
        end = conversation.far
        assert end.socket is None, f"{socket.remote} was accepted twice"
        end.ending.settle(socket)
        end.begin(socket, self.die)

    # -- accidents

    def stand_still(self) -> None:
        stack = self.hosts[self.die.choice(self.names)].stack
        self.weather.note(f"pause {stack.name}")
        stack.pause()
        self.weather.at(self.die.choice((0.001, 0.1, 1.0)), stack.resume)

    def crash(self) -> None:
        name = self.die.choice(self.names)
        self.weather.note(f"crash {name}")
        host = self.hosts[name]
        host.stack.power_off()
        self.lab.fabric.discard_held(name)
        self.kill(name)
        host.kernel.power_off()
        if self.die.random() < 0.7:
            self.weather.at(self.die.choice((0.0, 0.1, 3.0)), lambda: self.restart(name))

    def restart(self, name: str) -> None:
        self.weather.note(f"restart {name}")
        for address in self.hosts[name].stack.addresses:
            self.hosts[name].stack.detach(address)
        self.hosts[name] = self.make_host(name)
        self.start(name)

    def kill(self, name: str) -> None:
        """All programs of a host, whose kernel closes their sockets."""
        for task in self.tasks[name]:
            task.cancel()
        self.tasks[name].clear()
        for conversation in self.conversations:
            hosts = conversation.client, conversation.server
            for host, end in zip(hosts, conversation.ends, strict=True):
                if host.stack.name == name and end.socket is not None:
                    end.close()
        for listener in self.listeners[name]:
            listener.drop()
        self.listeners[name].clear()

    # -- the laws

    def watch(self, packet: Packet, source: str, target: str, fate: str) -> None:
        self.chatter.watch(packet, target, fate)
        if self.told is not None:
            self.told(f"{self.lab.now_ns / SECOND:.6f} {source} > {target} {fate}: "
                      f"{packet.body.protocol} {packet.body.describe()}")  # fmt: skip
        books = self.lab.fabric.statistics(source, target)
        assert books.is_conserved, f"{source} > {target}: {books.describe()}"

    def clear(self) -> None:
        self.weather.clear()
        for host in self.hosts.values():
            host.stack.resume()

    def check_complete(self) -> None:
        for conversation in self.conversations:
            for end, name in zip(conversation.ends, ("client", "server"), strict=True):
                if conversation.is_gentle:
                    state = (
                        f"{name} of {conversation.describe()}: {end.read} of "
                        f"{len(end.peer.ending.data)} bytes read, {end.written} written"
                    )
                    assert end.error is None, f"{end.error} at the {state}"
                    assert end.at_end, f"no end at the {state}"
                    assert end.read == len(end.peer.ending.data), f"not all at the {state}"

    def end(self) -> None:
        for name in self.names:
            self.kill(name)

    def check_nothing_is_left(self) -> None:
        lab, fabric = self.lab, self.lab.fabric
        fabric.check_conservation()
        assert not fabric.flights(), [flight.describe() for flight in fabric.flights()]
        for name, host in self.hosts.items():
            inet = host.kernel.inet
            left = [f"{t.local} {t.remote} {t.state}" for t in inet.tcp.tenants(lab.now_ns)]
            assert not left, f"ports of {name} are still held: {left}"
            tables = {
                key: table for key, table in vars(host.stack.tcp).items() if isinstance(table, dict)
            }
            assert not any(tables.values()), f"left in {name}: {tables}"
            assert not inet.udp._bound, f"left in {name}: {inet.udp._bound}"
        assert lab.heap.next_due() is None, f"a timer is armed for {lab.heap.next_due()} ns"

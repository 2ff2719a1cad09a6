"""The topology: the hosts of a simulation, and the network that joins them.

A program's own machine is the first host, ``localhost``; it is in no network
until it is given an address.  Others are made with theirs.  The network is
made with the first of them: who has one machine pays for no wire.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Unpack

from asyncipc.errors import Unsupported
from asyncipc.runtime.host import Host

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from asyncipc.kernel.timers import Timers
    from asyncipc.network.faults.cuts import Cut, Manner
    from asyncipc.network.internet.resolver import Resolver
    from asyncipc.network.links.conditions import Conditions, Spelling
    from asyncipc.runtime.gateway import Door, Kind
    from asyncipc.runtime.network import Group, Network
    from asyncipc.runtime.real_sockets import RealAddress
    from asyncipc.runtime.simulation import Simulation
    from asyncipc.runtime.tap import Tap


def check_name(name: str) -> None:
    """ValueError: nobody could ask the resolver for it."""
    if not isinstance(name, str):
        raise TypeError(f"the name of a host is a str, not {type(name).__name__}")
    if not name or not name.isprintable() or any(map(str.isspace, name)):
        raise ValueError(f"{name!r} can be no host's name")
    if ":" in name or name.rpartition(".")[2].isdecimal():
        raise ValueError(f"{name!r} can be no host's name: it would be taken for an address")


class Topology:
    """The part of a simulation that says which hosts there are."""

    timers: Timers

    def __init__(self, simulation: Simulation, console: Callable[[bytes], None]) -> None:
        self._simulation = simulation
        self._console = console
        self._tap: Tap | None = None
        self.is_running = False
        self.localhost = Host(simulation, "localhost", console)
        self.hosts: dict[str, Host] = {"localhost": self.localhost}
        self._names = {"localhost": "localhost"}  # as the resolver keeps them, whatever their case

    def dice(self, purpose: str) -> random.Random:
        raise NotImplementedError

    def begin(self, timers: Timers) -> None:
        """Time has begun."""
        self.timers = timers
        self.is_running = True  # until the simulation is over
        for host in self.hosts.values():
            host.kernel.timers = timers
        if "network" in self.__dict__:
            self.network.begin(timers)

    def watch(self, tap: Tap | None) -> None:
        """Tell ``tap`` what happens on the hosts and between them."""
        self._tap = tap
        for host in self.hosts.values():
            self._connect_tap(host)
        if "network" in self.__dict__:
            self.network.watch(tap)

    def _connect_tap(self, host: Host) -> None:
        tap = self._tap
        host.kernel.wire = None if tap is None else partial(tap.moved, host.name)
        host.kernel.life = None if tap is None else partial(tap.lived, host.name)

    # -- hosts

    def host(self, name: str, *addresses: str) -> Host:
        """A new host in the network; its programs are started by ``spawn``, ``serve`` and ``run``.

        ``addresses``: ``"10.0.0.2"``, ``"10.0.0.2/24"``, ``"fd00::2/64"``; none: the next
        free one from 10.0.0.1 on.  ValueError if the name is taken, or an address is, or
        either is none: a name is what the resolver answers to, so it is no number, and
        upper and lower case are the same.
        """
        if self._simulation.machine.name != "simulated":
            raise Unsupported("hosts on the native machine: there is one, the real one")
        check_name(name)
        taken = self._names.get(name.lower())
        if taken is not None:
            raise ValueError(f"there is a host {taken!r} already")
        host = Host(self._simulation, name, self._console)
        if self.is_running:
            host.kernel.timers = self.timers
        host.attach(*(addresses or (self.network.next_address(),)))
        if self.is_running and self.timers.now():
            host.clock.begin()
        self.hosts[name] = host
        self._names[name.lower()] = name
        self._connect_tap(host)
        return host

    def link(
        self,
        one: Host | str,
        other: Host | str,
        base: Conditions | None = None,
        **keywords: Unpack[Spelling],
    ) -> None:
        """The way between two hosts, both directions: ``latency=0.05, loss=0.01, …``.

        From now on; what is on its way keeps its fate.  ``base``: a preset to begin with, such as
        ``asyncipc.network.links.MOBILE``.  All keywords, in seconds, bits per second and
        shares: :func:`asyncipc.network.links.conditions`.  Errors: ValueError and TypeError by
        name; then neither way has changed.  One way, or all: ``sim.network``.
        """
        self.network.link(one, other, base, **keywords)

    def partition(self, *groups: Group, how: Manner = "drop", in_flight: bool = False) -> Cut:
        """Hosts of different groups do not reach each other: ``with sim.partition(a, b): …``.

        ``how``: ``"drop"``, ``"hold"`` or ``"reset"``; ``in_flight``: packets on their way too.
        Hosts in no group are not concerned.  One way, by rules or by a schedule: ``sim.network``.
        """
        return self.network.partition(*groups, how=how, in_flight=in_flight)

    # -- the real network (runtime/gateway)

    async def publish(
        self,
        name: Host | str,
        port: int,
        to: RealAddress = ("127.0.0.1", 0),
        *,
        via: Host | str = "gateway",
        kind: Kind = "tcp",
    ) -> Door:
        """Let real clients speak to a port of host ``name``, at the real address ``to``.

        Real port 0 is any free one (``door.port``).  In the network the clients are
        the host ``via``, made when it is first named: they come from its address and
        over its links.  A host without an address is reached on its loopback.
        Returns when it listens; open until the door is closed, or the run is over.

        Errors: those of bind(2) outside (EADDRINUSE, EACCES, EADDRNOTAVAIL).  Refused on
        virtual time and on the native machine (Unsupported).  Not modelled: a
        refusal (who finds nobody is reset), urgent marks (their bytes go with the
        others); of UDP, senders beyond the last 256.
        """
        from asyncipc.runtime.gateway import publish

        return await publish(self._simulation, name, port, to, via, kind)

    async def reach(
        self, name: Host | str, address: RealAddress, *, port: int | None = None, kind: Kind = "tcp"
    ) -> Door:
        """Let the simulation's programs speak to a real server, as a port of host ``name``.

        The host is made if there is none.  ``port``: the real one, if None.  Each
        connection opens one to ``address`` outside, whose host may be a name.  All
        else is as of ``publish``.  Errors: EADDRINUSE on the simulated host.
        """
        from asyncipc.runtime.gateway import reach

        return await reach(self._simulation, name, address, port, kind)

    @cached_property
    def resolver(self) -> Resolver:
        """Which addresses a name has: those of the hosts are known.

        ``set``, ``remove``, ``fail`` and ``delay`` say what lookups find
        (:class:`asyncipc.network.internet.resolver.Resolver`); ``attach`` and ``detach`` of a
        host overwrite its name's, and a restart does not.
        """
        from asyncipc.network.internet.resolver import Resolver

        if self._simulation.machine.name != "simulated":
            raise Unsupported("the resolver on the native machine: it is the real one")
        return Resolver()

    @cached_property
    def network(self) -> Network:
        """All links and rules between the hosts, and what is on its way."""
        from asyncipc.runtime.network import Network

        if self._simulation.machine.name != "simulated":
            raise Unsupported("the network on the native machine: it is the real one")
        network = Network(self.dice, self.hosts)
        network.watch(self._tap)
        if self.is_running:
            network.begin(self.timers)
        return network

"""Stations that only write down what arrives: what the fabric does, without any stack."""

from __future__ import annotations

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.udp.inbox import datagram_memory
from asyncipc.network.internet.udp import UdpBody
from asyncipc.network.links.conditions import Conditions
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import Segment
from tests.network.lab import Lab

ADDRESSES = {name: f"10.0.0.{number}" for number, name in enumerate("abcdefgh", 1)}
MS = 1_000_000


class Recorder:
    """``heard``: (time in ms, sender, data) of all that arrived."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.packets: list[Packet] = []
        self.heard: list[tuple[float, str, bytes]] = []
        lab.fabric.attach(self, ADDRESSES[name])

    def input(self, packet: Packet) -> None:
        sender = next(name for name, address in ADDRESSES.items() if address == packet.source)
        self.packets.append(packet)
        self.heard.append((self.lab.now_ns / MS, sender, packet.body.data))


class Wire:
    """Hosts a, b, c, …; links take 1 ms."""

    def __init__(self, hosts: str = "abc", seed: int = 0, latency_ns: int = MS) -> None:
        self.lab = Lab(seed)
        self.fabric = self.lab.fabric
        self.fabric.conditions = Conditions(latency_ns=latency_ns)
        self.hosts = {name: Recorder(self.lab, name) for name in hosts}
        self.fates: list[str] = []

    def watch(self) -> None:
        self.fabric.tap = lambda packet, source, target, fate: self.fates.append(
            f"{source}>{target} {packet.body.data.decode()} {fate}"
        )

    def udp(self, way: str, data: bytes = b"x", port: int = 53) -> None:
        """``way``: such as ``ab``, from a to b."""
        source, target = (ADDRESSES[name] for name in way)
        names = InetAddress(source, 4000), InetAddress(target, port)
        body = UdpBody((data, *names, datagram_memory(len(data))))
        self.submit(Packet(source, target, body), way[0])

    def tcp(self, way: str, flags: int, sequence: int = 0, ack: int = 0, data: bytes = b"") -> None:
        """Port 4000 of the first in the alphabet is the client of port 80 of the other."""
        source, target = (ADDRESSES[name] for name in way)
        ports = (4000, 80) if way[0] < way[1] else (80, 4000)
        ends = InetAddress(source, ports[0]), InetAddress(target, ports[1])
        self.submit(
            Packet(source, target, Segment(*ends, sequence, ack, flags, 1000, data)), way[0]
        )

    def submit(self, packet: Packet, source: str) -> None:
        self.fabric.submit(packet, self.hosts[source], self.lab.now_ns)

    def heard(self, host: str) -> list[bytes]:
        return [data for _, _, data in self.hosts[host].heard]

    def segments(self, host: str) -> list[str]:
        return [packet.body.describe() for packet in self.hosts[host].packets]

    def dropped(self, way: str) -> dict[str, int]:
        return dict(self.fabric.statistics(way[0], way[1]).dropped)

    def run(self, until_s: float | None = None) -> None:
        self.lab.run(until_s)
        self.fabric.check_conservation()

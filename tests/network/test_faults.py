"""What faults look like to programs that speak UDP, each behaviour by its sentence."""

from __future__ import annotations

import pytest

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.udp.socket import UdpSocket
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.network.faults.cuts import Cuts
from asyncipc.network.faults.predicates import drop, nth
from asyncipc.network.links.conditions import conditions
from tests.network.lab import Host, Lab

PORT = 53


class Net:
    """Hosts a, b, c with a socket each; links take 1 ms."""

    def __init__(self) -> None:
        self.lab = Lab()
        self.cuts = Cuts(self.lab.fabric)
        self.hosts = {
            name: self.lab.host(name, f"10.0.0.{number}") for number, name in enumerate("abc", 1)
        }
        self.sockets = {name: host.udp(PORT) for name, host in self.hosts.items()}

    def send(self, source: str, target: str, data: bytes) -> int | WouldBlock:
        host = self.hosts[source]
        address = InetAddress(self.hosts[target].address, PORT)
        return self.sockets[source].sendto(data, 0, address, host.process)

    def received(self, name: str) -> list[bytes]:
        return drained(self.sockets[name])

    def run(self, until_s: float | None = None) -> None:
        self.lab.run(until_s)
        self.lab.fabric.check_conservation()


def drained(socket: UdpSocket) -> list[bytes]:
    found: list[bytes] = []
    while not isinstance(data := socket.recv(2000, 0), WouldBlock):
        found.append(bytes(data))
    return found


@pytest.fixture
def net() -> Net:
    return Net()


def test_udp_across_a_cut_is_silently_lost(net: Net) -> None:
    with net.cuts.partition("a", "b"):
        assert net.send("a", "b", b"hello") == 5
        net.run()
    assert net.received("b") == []
    assert net.sockets["a"].error == 0


def test_packets_held_from_a_to_b_do_not_block_c_to_b(net: Net) -> None:
    with net.cuts.hold("a", "b"):
        net.send("a", "b", b"held")
        net.send("c", "b", b"free")
        net.run()
        assert net.received("b") == [b"free"]
    net.run()
    assert net.received("b") == [b"held"]


def test_with_a_one_way_cut_the_other_way_arrives(net: Net) -> None:
    with net.cuts.cut("a", "b"):
        net.send("a", "b", b"lost")
        net.send("b", "a", b"arrives")
        net.run()
    assert (net.received("a"), net.received("b")) == ([b"arrives"], [])


def test_a_partition_drops_in_flight_and_a_hold_keeps_it_and_release_delivers_in_order(
    net: Net,
) -> None:
    net.send("a", "b", b"dropped")
    with net.cuts.partition("a", "b", in_flight=True):
        net.run(1)
    net.send("a", "b", b"1")
    with net.cuts.hold("a", "b", in_flight=True):
        net.send("a", "b", b"2")
        net.run(2)
        assert net.received("b") == []
        net.send("a", "b", b"3")
    net.run()
    assert net.received("b") == [b"1", b"2", b"3"]


def test_some_time_after_a_heal_no_held_packet_is_left(net: Net) -> None:
    net.cuts.isolate("a", how="hold")
    net.cuts.partition("a", ["b", "c"], how="hold", in_flight=True)
    for target in "bc":
        for number in range(5):
            net.send("a", target, b"%d" % number)
    net.run(10)
    assert len(net.lab.fabric.flights()) == 10
    net.cuts.heal()
    net.run(10.1)
    assert net.lab.fabric.flights() == []
    assert net.received("b") == net.received("c") == [b"0", b"1", b"2", b"3", b"4"]


def test_each_link_counts_sent_as_delivered_dropped_by_cause_and_in_flight(net: Net) -> None:
    net.lab.fabric.link("a", "b").conditions = conditions(loss=[1])
    net.send("a", "b", b"lost")
    with net.lab.fabric.rule(drop(nth(1))):
        net.send("a", "b", b"by a rule")
    with net.cuts.cut("a", "b"):
        net.send("a", "b", b"cut")
    net.send("a", "b", b"delivered")
    net.run()
    net.send("a", "b", b"in flight")
    counts = net.lab.fabric.statistics("a", "b")
    assert dict(counts.dropped) == {"loss": 1, "rule": 1, "cut": 1}
    assert (counts.sent, counts.arrived, counts.in_flight) == (5, 1, 1)
    assert counts.is_conserved
    assert counts.describe() == (
        "5 sent + 0 copied, 1 arrived, 1 dropped (loss), 1 dropped (rule), 1 dropped (cut), "
        "1 in flight"
    )


def test_a_partition_held_together_with_a_hold_of_another_pair(net: Net) -> None:
    with net.cuts.partition("a", "b"), net.cuts.hold("a", "c"):
        net.send("a", "b", b"lost")
        net.send("a", "c", b"held")
        net.send("c", "b", b"free")
        net.run()
        assert net.received("b") == [b"free"]
        assert net.received("c") == []
    net.run()
    assert (net.received("b"), net.received("c")) == ([], [b"held"])


def test_healing_one_pair_leaves_the_others_cut(net: Net) -> None:
    net.cuts.partition("a", "b", "c")
    net.cuts.heal("a", "b")
    net.send("a", "b", b"1")
    net.send("a", "c", b"2")
    net.run()
    assert (net.received("b"), net.received("c")) == ([b"1"], [])


def test_a_crash_is_silent_and_traffic_due_while_down_is_lost(net: Net) -> None:
    net.send("a", "b", b"due while down")
    net.hosts["b"].stack.power_off()
    net.run()
    assert net.received("b") == []
    assert net.sockets["a"].error == 0


def test_held_packets_of_a_crashed_host_are_never_delivered(net: Net) -> None:
    with net.cuts.hold("a", "b"):
        net.send("a", "b", b"too late")
        net.lab.fabric.discard_held("a")
    net.run()
    assert net.received("b") == []
    assert dict(net.lab.fabric.statistics("a", "b").dropped) == {"down": 1}


def test_a_duplicated_datagram_arrives_twice_and_is_counted_as_a_copy(net: Net) -> None:
    net.lab.fabric.link("a", "b").conditions = conditions(duplicate=1)
    net.send("a", "b", b"twice")
    net.run()
    assert net.received("b") == [b"twice", b"twice"]
    assert net.lab.fabric.statistics("a", "b").copied == 1


def test_two_hosts_that_answer_each_other_at_latency_zero_are_never_entered_twice() -> None:
    lab = Lab()
    lab.fabric.conditions = conditions(latency=0)
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    depth = {"a": 0, "b": 0}
    answers = iter(range(20))

    def answering(host: Host, other: Host) -> None:
        plain, name = host.stack.input, host.stack.name

        def answer(packet: object) -> None:
            depth[name] += 1
            assert depth[name] == 1
            plain(packet)  # type: ignore[arg-type]
            if next(answers, None) is not None:
                host.udp().sendto(b"again", 0, InetAddress(other.address, PORT), host.process)
            depth[name] -= 1

        lab.fabric.stations[host.address] = type(
            "Station", (), {"name": name, "input": staticmethod(answer)}
        )()

    answering(a, b)
    answering(b, a)
    sockets = a.udp(PORT), b.udp(PORT)
    a.udp().sendto(b"first", 0, InetAddress(b.address, PORT), a.process)
    assert [len(drained(socket)) for socket in sockets] == [10, 11]
    lab.fabric.check_conservation()

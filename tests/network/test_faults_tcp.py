"""What faults look like to programs that speak TCP, each behaviour by its sentence."""

from __future__ import annotations

import errno

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.network.faults.breakage import accept_and_reset, hang, limit_data, refuse, reset_after
from asyncipc.network.faults.cuts import Cuts
from asyncipc.network.faults.predicates import EVERY
from asyncipc.network.faults.rules import Rule
from tests.network.lab import Lab


class Talk:
    """A client on host a, which has connected to a server on host b, if that came about."""

    def __init__(self, rule: Rule | None = None) -> None:
        self.lab = Lab()
        self.cuts = Cuts(self.lab.fabric)
        client, server = self.lab.host("a", "10.0.0.1"), self.lab.host("b", "10.0.0.2")
        if rule is not None:
            self.lab.fabric.rule(rule)
        listener = server.listener(80)
        self.client = client.tcp(nonblocking=True)
        self.client.connect(client.process, InetAddress("10.0.0.2", 80))
        self.lab.run(1)
        accepted = listener.accept()
        self.server: TcpSocket | None = None
        if not isinstance(accepted, WouldBlock):
            self.server = accepted[0] if isinstance(accepted, tuple) else accepted
            self.server.hold()

    def run(self, until_s: float | None = None) -> None:
        self.lab.run(until_s)
        self.lab.fabric.check_conservation()

    def heard(self) -> bytes | str | None:
        """By the server: data, the name of an errno, or None: nothing yet."""
        assert self.server is not None
        return received(self.server)


def received(socket: TcpSocket) -> bytes | str | None:
    try:
        data = socket.recv(100, 0)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return None if isinstance(data, WouldBlock) else bytes(data)


def test_a_stream_resumes_intact_after_a_cut_has_healed() -> None:
    talk = Talk()
    with talk.cuts.partition("a", "b"):
        assert talk.client.send(b"late", 0) == 4
        talk.run(5)
        assert talk.heard() is None
    talk.run(60)
    assert talk.heard() == b"late"


def test_a_held_stream_goes_on_where_it_was() -> None:
    talk = Talk()
    talk.client.send(b"on its way ", 0)
    with talk.cuts.hold("a", "b", in_flight=True):
        talk.client.send(b"and behind", 0)
        talk.run(2)
        assert talk.heard() is None
    talk.run(30)
    assert talk.heard() == b"on its way and behind"


def test_with_acknowledgements_cut_off_data_arrives_once() -> None:
    talk = Talk()
    with talk.cuts.cut("b", "a"):
        talk.client.send(b"once", 0)
        talk.run(10)
        assert talk.heard() == b"once"
    talk.run(60)
    assert talk.heard() is None
    assert dict(talk.lab.fabric.statistics("b", "a").dropped)["cut"] > 1


def test_a_reset_cut_breaks_a_connection_at_both_ends() -> None:
    talk = Talk()
    with talk.cuts.reset("a", "b"):
        talk.client.send(b"x", 0)
        talk.run(2)
    assert (talk.heard(), received(talk.client)) == ("ECONNRESET", "ECONNRESET")


def test_a_reset_of_what_is_in_flight_breaks_the_connection_that_it_belongs_to() -> None:
    talk = Talk()
    talk.client.send(b"x", 0)
    talk.cuts.reset("a", "b", in_flight=True).heal()
    talk.run(2)
    assert (talk.heard(), received(talk.client)) == ("ECONNRESET", "ECONNRESET")


def test_a_connection_can_be_refused_though_somebody_listens() -> None:
    talk = Talk(refuse())
    assert (talk.client.error, talk.server) == (errno.ECONNREFUSED, None)


def test_a_connection_can_hang_until_it_times_out() -> None:
    talk = Talk(hang())
    assert (talk.client.error, talk.server) == (0, None)
    talk.run(200)
    assert talk.client.error == errno.ETIMEDOUT


def test_a_connection_can_be_accepted_and_reset() -> None:
    talk = Talk(accept_and_reset())
    assert (talk.heard(), received(talk.client)) == ("ECONNRESET", "ECONNRESET")


def test_a_connection_can_break_after_exactly_so_many_bytes() -> None:
    talk = Talk(reset_after(EVERY, 6))
    talk.client.send(b"12345678", 0)
    talk.run(2)
    assert (talk.heard(), talk.heard()) == (b"123456", "ECONNRESET")
    assert received(talk.client) == "ECONNRESET"


def test_a_connection_can_go_silent_after_so_many_bytes_until_it_times_out() -> None:
    talk = Talk(limit_data(EVERY, 6))
    talk.client.send(b"12345678", 0)
    talk.run(2)
    assert (talk.heard(), talk.heard()) == (b"123456", None)
    talk.run(10_000)
    assert received(talk.client) == "ETIMEDOUT"
    assert talk.heard() is None


def test_the_syn_of_a_client_that_gave_up_while_it_was_held_is_not_accepted() -> None:
    lab = Lab()
    cuts = Cuts(lab.fabric)
    client, server = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    listener, socket = server.listener(80), client.tcp(nonblocking=True)
    with cuts.hold("a", "b"):
        socket.connect(client.process, InetAddress("10.0.0.2", 80))
        lab.run(0.5)
        socket.drop()
    lab.run(100)
    assert isinstance(listener.accept(), WouldBlock)
    lab.fabric.check_conservation()

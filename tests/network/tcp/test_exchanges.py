"""TCP between hosts, segment by segment.  Links take 1 ms; numbers count from the ISNs."""

from __future__ import annotations

import errno

import pytest

from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets.options import SO_KEEPALIVE, SO_RCVBUF, SOL_SOCKET
from asyncipc.kernel.sockets.socket import MSG_OOB
from asyncipc.kernel.tcp.options import (
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_NODELAY,
    TCP_QUICKACK,
    TCP_USER_TIMEOUT,
)
from asyncipc.kernel.tcp.states import State
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.network.links.conditions import conditions
from asyncipc.network.tcp.numbers import MASK
from asyncipc.network.tcp.segment import ACK, RST, SYN, Segment
from tests.network.lab import SECOND, Lab
from tests.network.tcp.exchange import SERVER, Exchange, drain, transport
from tests.network.tcp.trace import Trace

SHUT_WR = 1


def set_tcp(exchange: Exchange, option: int, value: int) -> None:
    exchange.client.setsockopt(IPPROTO_TCP, option, value)


# -- handshakes


def test_a_handshake_is_three_segments() -> None:
    exchange = Exchange()
    assert exchange.handshake == [
        "0 a > b SYN seq 0",
        "1 b > a SYN ACK seq 0 ack 1",
        "2 a > b ACK seq 1 ack 1",
    ]
    syn = exchange.trace.segments[0]
    assert (syn.window, syn.options.mss, syn.options.window_scale) == (64240, 1460, 7)
    assert syn.options.may_sack
    assert syn.options.stamp is not None
    assert transport(exchange.client).segment_max == 1448


def test_a_syn_that_nobody_answers_goes_out_ten_times_more() -> None:
    lab = Lab()
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    trace = Trace(lab, a, b)
    trace.lose_all(a)
    client = a.tcp()
    client.connect(a.process, SERVER)
    lab.run()
    seconds = [int(line.split()[0]) // 1000 for line in trace.since()]
    assert seconds == [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]
    assert (client.error, lab.now_ns) == (errno.ETIMEDOUT, 131 * SECOND)


def test_the_stamp_tells_the_round_trip_of_a_syn_that_was_sent_again() -> None:
    lab = Lab()
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    Trace(lab, a, b).lose(a, 1)
    b.listener(80)
    client = a.tcp()
    client.connect(a.process, SERVER)
    lab.run(1.5)
    assert transport(client).estimator.round_trip == 2_000_000


def test_two_syns_that_cross_make_one_connection() -> None:
    lab = Lab()
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    trace = Trace(lab, a, b)
    ends = []
    for host, other, port in ((a, b, 1000), (b, a, 2000)):
        socket = host.tcp()
        socket.bind(host.process, SERVER._replace(host=host.address, port=port))
        ends.append((socket, SERVER._replace(host=other.address, port=3000 - port), host))
    for socket, remote, host in ends:
        socket.connect(host.process, remote)
    lab.run(1)
    assert [socket.state for socket, _, _ in ends] == [State.ESTABLISHED] * 2
    assert trace.since()[:4] == [
        "0 a > b SYN seq 0",
        "0 b > a SYN seq 0",
        "1 b > a SYN ACK seq 0 ack 1",
        "1 a > b SYN ACK seq 0 ack 1",
    ]
    ends[0][0].write(b"hello")
    lab.run(2)
    assert drain(ends[1][0]) == b"hello"


def test_a_reset_in_answer_to_a_syn_refuses_the_connection() -> None:
    lab = Lab()
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    trace = Trace(lab, a, b)
    client = a.tcp()
    client.connect(a.process, SERVER)
    lab.run()
    assert trace.since() == ["0 a > b SYN seq 0", "1 b > a RST ACK seq 0 ack 1"]
    assert client.error == errno.ECONNREFUSED


# -- data and its acknowledgement


def test_the_first_segments_are_acknowledged_at_once() -> None:
    exchange = Exchange()
    exchange.client.write(b"hello")
    assert exchange.after(1) == [
        "0 a > b PSH ACK seq 1 ack 1 len 5",
        "1 b > a ACK seq 1 ack 6",
    ]


def test_in_a_conversation_an_acknowledgement_waits_40_ms_for_data_to_go_with() -> None:
    exchange = Exchange()
    exchange.converse()
    exchange.client.write(b"one")
    assert exchange.after(1) == [
        "0 a > b PSH ACK seq 3 ack 3 len 3",
        "41 b > a ACK seq 3 ack 6",
    ]


def test_an_answer_carries_the_acknowledgement() -> None:
    exchange = Exchange()
    exchange.converse()
    exchange.client.write(b"one")
    exchange.lab.run(exchange.lab.now_ns / SECOND + 0.005)
    exchange.server.write(b"two")
    assert exchange.after(0.03) == [
        "0 a > b PSH ACK seq 3 ack 3 len 3",
        "5 b > a PSH ACK seq 3 ack 6 len 3",
        "6 a > b ACK seq 6 ack 6",
    ]


def test_quickack_ends_the_waiting() -> None:
    exchange = Exchange()
    exchange.converse()
    exchange.server.setsockopt(IPPROTO_TCP, TCP_QUICKACK, 1)
    exchange.client.write(b"one")
    assert exchange.after(1)[1] == "1 b > a ACK seq 3 ack 6"


def test_nagle_holds_small_data_back_while_a_small_segment_is_under_way() -> None:
    exchange = Exchange()
    for data in (b"a", b"bb", b"ccc"):
        exchange.client.write(data)
    assert exchange.after(1) == [
        "0 a > b PSH ACK seq 1 ack 1 len 1",
        "1 b > a ACK seq 1 ack 2",
        "2 a > b PSH ACK seq 2 ack 1 len 5",
        "3 b > a ACK seq 1 ack 7",
    ]


def test_nodelay_sends_each_at_once() -> None:
    exchange = Exchange()
    set_tcp(exchange, TCP_NODELAY, 1)
    for data in (b"a", b"bb", b"ccc"):
        exchange.client.write(data)
    assert exchange.after(0)[:3] == [
        "0 a > b PSH ACK seq 1 ack 1 len 1",
        "0 a > b PSH ACK seq 2 ack 1 len 2",
        "0 a > b PSH ACK seq 4 ack 1 len 3",
    ]


def test_a_clean_link_carries_ten_segments_as_one_and_then_twice_as_many() -> None:
    exchange = Exchange()
    exchange.client.write(b"x" * 60_000)
    assert exchange.after(1)[:4] == [
        "0 a > b ACK seq 1 ack 1 len 14480",
        "1 b > a ACK seq 1 ack 14481",
        "2 a > b ACK seq 14481 ack 1 len 28960",
        "3 b > a ACK seq 1 ack 43441",
    ]


def test_a_big_segment_is_a_train_of_whole_ones() -> None:
    names = SERVER, SERVER._replace(port=81)
    whole = Segment(*names, MASK - 999, 7, ACK, 9, bytes(range(250)) * 10, segment_max=1000)
    train = whole.train(1500)
    assert [len(car.data) for car in train] == [1000, 1000, 500]
    assert [car.sequence for car in train] == [MASK - 999, 0, 1000]
    assert b"".join(car.data for car in train) == whole.data
    assert whole.count == 3


# -- loss


def test_lost_data_goes_out_again_after_the_timeout() -> None:
    exchange = Exchange()
    exchange.trace.lose(exchange.a, 1)
    exchange.client.write(b"hello")
    assert exchange.after(1) == [
        "0 a > b PSH ACK seq 1 ack 1 len 5 (lost)",
        "202 a > b PSH ACK seq 1 ack 1 len 5",
        "203 b > a ACK seq 1 ack 6",
    ]
    assert drain(exchange.server) == b"hello"


def test_the_timeout_doubles() -> None:
    exchange = Exchange()
    exchange.trace.lose(exchange.a, 1, 2, 3)
    exchange.client.write(b"hello")
    times = [line.split()[0] for line in exchange.after(3) if "a > b" in line]
    assert times == ["0", "202", "606", "1414"]


def test_a_lost_acknowledgement_costs_one_retransmission() -> None:
    exchange = Exchange()
    exchange.trace.lose(exchange.b, 1)
    exchange.client.write(b"hello")
    assert exchange.after(1) == [
        "0 a > b PSH ACK seq 1 ack 1 len 5",
        "1 b > a ACK seq 1 ack 6 (lost)",
        "202 a > b PSH ACK seq 1 ack 1 len 5",
        "203 b > a ACK seq 1 ack 6",
    ]
    assert drain(exchange.server) == b"hello"


def test_a_later_acknowledgement_stands_for_a_lost_one() -> None:
    exchange = Exchange()
    set_tcp(exchange, TCP_NODELAY, 1)
    exchange.trace.lose(exchange.b, 1)
    exchange.client.write(b"hello")
    exchange.client.write(b"world")
    assert exchange.after(1) == [
        "0 a > b PSH ACK seq 1 ack 1 len 5",
        "0 a > b PSH ACK seq 6 ack 1 len 5",
        "1 b > a ACK seq 1 ack 6 (lost)",
        "1 b > a ACK seq 1 ack 11",
    ]


def test_three_segments_after_a_lost_one_send_it_again_at_once() -> None:
    exchange = Exchange()
    set_tcp(exchange, TCP_NODELAY, 1)
    exchange.trace.lose(exchange.a, 1)
    for _ in range(4):
        exchange.client.write(b"x" * 100)
    assert exchange.after(1) == [
        "0 a > b PSH ACK seq 1 ack 1 len 100 (lost)",
        "0 a > b PSH ACK seq 101 ack 1 len 100",
        "0 a > b PSH ACK seq 201 ack 1 len 100",
        "0 a > b PSH ACK seq 301 ack 1 len 100",
        "1 b > a ACK seq 1 ack 1 sack 101:201",
        "1 b > a ACK seq 1 ack 1 sack 101:301",
        "1 b > a ACK seq 1 ack 1 sack 101:401",
        "2 a > b ACK seq 1 ack 1 len 100",
        "3 b > a ACK seq 1 ack 401",
    ]
    assert transport(exchange.client).sender.congestion.window == 7  # cubic: 0.7 of 10


def test_two_segments_after_a_lost_one_are_not_enough() -> None:
    exchange = Exchange()
    set_tcp(exchange, TCP_NODELAY, 1)
    exchange.trace.lose(exchange.a, 1)
    for _ in range(3):
        exchange.client.write(b"x" * 100)
    assert exchange.after(1)[-2].startswith("202 a > b ACK seq 1 ack 1 len 100")


def test_a_way_that_becomes_narrow_gets_smaller_segments() -> None:
    exchange = Exchange()
    exchange.lab.fabric.link("a", "b").conditions = conditions(mtu=1000)
    exchange.client.write(b"x" * 20_000)
    exchange.after(1)
    assert drain(exchange.server) == b"x" * 20_000
    assert transport(exchange.client).segment_max == 948


# -- the end


def test_half_closed_the_other_direction_goes_on() -> None:
    exchange = Exchange()
    exchange.client.shutdown(SHUT_WR)
    assert exchange.after(1) == ["0 a > b FIN ACK seq 1 ack 1", "1 b > a ACK seq 1 ack 2"]
    assert (exchange.client.state, exchange.server.state) == (State.FIN_WAIT2, State.CLOSE_WAIT)
    exchange.server.write(b"rest")
    exchange.server.shutdown(SHUT_WR)
    assert exchange.after(1) == [
        "0 b > a PSH ACK seq 1 ack 2 len 4",
        "0 b > a FIN ACK seq 5 ack 2",
        "1 a > b ACK seq 2 ack 5",
        "1 a > b ACK seq 2 ack 6",
    ]
    assert drain(exchange.client) == b"rest"


def test_two_fins_that_cross_close_both_ends_at_once() -> None:
    exchange = Exchange()
    exchange.client.shutdown(SHUT_WR)
    exchange.server.shutdown(SHUT_WR)
    assert exchange.after(1) == [
        "0 a > b FIN ACK seq 1 ack 1",
        "0 b > a FIN ACK seq 1 ack 1",
        "1 b > a ACK seq 2 ack 2",
        "1 a > b ACK seq 2 ack 2",
    ]
    waiting = [
        host.kernel.inet.tcp.time_waits(exchange.lab.now_ns) for host in (exchange.a, exchange.b)
    ]
    assert [len(each) for each in waiting] == [1, 1]


def test_a_lost_fin_goes_out_again() -> None:
    exchange = Exchange()
    exchange.trace.lose(exchange.a, 1)
    exchange.client.shutdown(SHUT_WR)
    assert exchange.after(1) == [
        "0 a > b FIN ACK seq 1 ack 1 (lost)",
        "202 a > b FIN ACK seq 1 ack 1",
        "203 b > a ACK seq 1 ack 2",
    ]


def test_the_fin_comes_after_all_that_waits() -> None:
    exchange = Exchange()
    exchange.client.write(b"x" * 40_000)
    exchange.client.shutdown(SHUT_WR)
    lines = [line for line in exchange.after(1) if "a > b" in line]
    assert ["FIN" in line for line in lines] == [False, True]
    assert drain(exchange.server) == b"x" * 40_000


def test_closing_with_unread_data_is_a_reset() -> None:
    exchange = Exchange()
    exchange.client.write(b"unread")
    exchange.after(1)
    exchange.server.release()
    assert exchange.after(1) == ["0 b > a RST ACK seq 1 ack 7"]
    assert exchange.client.error == errno.ECONNRESET


def test_data_that_came_before_a_reset_can_be_read() -> None:
    exchange = Exchange()
    exchange.server.write(b"last words")
    exchange.client.write(b"unread")
    exchange.after(1)
    exchange.server.release()
    exchange.after(1)
    assert exchange.client.read(100) == b"last words"
    with pytest.raises(ConnectionResetError):
        exchange.client.read(100)


def test_data_to_who_has_closed_is_answered_with_a_reset() -> None:
    exchange = Exchange()
    exchange.server.release()
    exchange.after(1)
    assert exchange.client.write(b"too late") == 8
    assert exchange.after(1) == ["0 a > b PSH ACK seq 1 ack 2 len 8", "1 b > a RST seq 2"]
    assert exchange.client.error == errno.EPIPE


def test_a_reset_out_of_place_is_challenged_and_changes_nothing() -> None:
    exchange = Exchange()
    client, server = exchange.client, exchange.server
    assert client.remote is not None
    forged = Segment(client.local, client.remote, 0, 0, RST, 0)
    forged.sequence = (transport(server).receiver.next + 5) & MASK
    transport(server).input(forged)
    assert exchange.after(1) == ["0 b > a ACK seq 1 ack 1"]
    assert server.state == State.ESTABLISHED
    forged.sequence = transport(server).receiver.next & MASK
    transport(server).input(forged)
    assert server.error == errno.ECONNRESET


def test_a_syn_in_the_middle_is_challenged() -> None:
    exchange = Exchange()
    client, server = exchange.client, exchange.server
    assert client.remote is not None
    syn = Segment(client.local, client.remote, 0, 0, SYN, 1000)
    syn.sequence = transport(server).receiver.next & MASK
    transport(server).input(syn)
    assert exchange.after(1) == ["0 b > a ACK seq 1 ack 1"]


# -- the window


def test_a_shut_window_is_probed_and_its_opening_told() -> None:
    exchange = Exchange((SOL_SOCKET, SO_RCVBUF, 2000))
    exchange.client.write(b"x" * 6000)
    exchange.after(0.1)
    assert transport(exchange.client).sender.window == 0
    lines = exchange.after(3)
    assert len(lines) >= 4
    assert all("len" not in line for line in lines)
    assert len(drain(exchange.server)) == 1448
    opening = exchange.after(1)
    assert opening[0].startswith("0 b > a ACK")
    assert "len" in opening[1]


def test_a_peer_that_answers_probes_is_waited_for_for_ever() -> None:
    exchange = Exchange((SOL_SOCKET, SO_RCVBUF, 2000))
    exchange.client.write(b"x" * 6000)
    exchange.after(5000)
    assert exchange.client.state == State.ESTABLISHED
    received = bytearray()
    for _ in range(100):
        received += drain(exchange.server)
        exchange.after(0.3)
    assert received == b"x" * 6000


# -- patience


def test_without_an_answer_a_connection_is_given_up_after_15_minutes() -> None:
    exchange = Exchange()
    exchange.trace.lose_all(exchange.a)
    exchange.client.write(b"x")
    assert len(exchange.after(10_000)) == 16
    assert exchange.client.error == errno.ETIMEDOUT


def test_user_timeout_gives_up_earlier() -> None:
    exchange = Exchange()
    set_tcp(exchange, TCP_USER_TIMEOUT, 3000)
    exchange.trace.lose_all(exchange.a)
    exchange.client.write(b"x")
    assert len(exchange.after(2.9)) == 4
    assert exchange.client.error == 0
    exchange.after(0.2)
    assert exchange.client.error == errno.ETIMEDOUT


def test_keepalive_asks_and_gives_up_with_a_reset() -> None:
    exchange = Exchange()
    for option, value in ((TCP_KEEPIDLE, 10), (TCP_KEEPINTVL, 5), (TCP_KEEPCNT, 2)):
        set_tcp(exchange, option, value)
    exchange.client.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    exchange.lab.run(11)
    exchange.trace.since()
    exchange.trace.lose_all(exchange.b)
    asked = [line for line in exchange.after(60) if "a > b" in line]
    assert [line.split(" ", 1)[1] for line in asked] == [
        "a > b ACK seq 0 ack 1",
        "a > b ACK seq 0 ack 1",
        "a > b RST ACK seq 1 ack 1",
    ]
    assert exchange.client.error == errno.ETIMEDOUT


def test_an_idle_connection_has_no_timer() -> None:
    exchange = Exchange()
    exchange.client.write(b"hello")
    exchange.after(1)
    assert exchange.lab.heap.next_due() is None


# -- urgent data


def test_urgent_data_keeps_its_mark_across_hosts() -> None:
    exchange = Exchange()
    exchange.client.send(b"abc!", MSG_OOB)
    exchange.client.write(b"def")
    exchange.after(1)
    assert exchange.server.recv(10, MSG_OOB) == b"!"
    assert exchange.server.read(10) == b"abc"
    assert exchange.server.read(10) == b"def"
    assert isinstance(exchange.server.read(10), WouldBlock)

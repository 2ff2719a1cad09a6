"""Ports of TCP: who may share one, which one is given, how long TIME-WAIT holds it."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from asyncipc.kernel.ip.options import IPPROTO_IPV6, IPV6_V6ONLY
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.options import SO_REUSEADDR, SO_REUSEPORT
from asyncipc.kernel.sockets.socket import AF_INET6
from asyncipc.kernel.tcp import ports as tcp_ports
from asyncipc.kernel.tcp.ports import EPHEMERAL_LOW, mixed
from tests.kernel.helpers import failure
from tests.kernel.tcp import Host

Bind = Callable[[], object]


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def high(monkeypatch: pytest.MonkeyPatch) -> int:
    """A host with a few automatic ports only; the end of their range."""
    monkeypatch.setattr(tcp_ports, "EPHEMERAL_HIGH", EPHEMERAL_LOW + 20)
    return EPHEMERAL_LOW + 20


def binding(host: Host, address: str, port: int, *options: int) -> str:
    """The errno of a bind."""
    family = AF_INET6 if ":" in address else 2
    socket = host.socket(family, options=options)
    return failure(socket.bind, host.process, host.name(address, port))


def test_bind_takes_odd_automatic_ports_and_connect_even_ones(host: Host) -> None:
    listener = host.listener()
    bound = [host.bound().local.port for _ in range(3)]
    connected = [host.connected(listener.getsockname()).local.port for _ in range(3)]
    assert [listener.local.port, *bound] == [32769, 32771, 32773, 32775]
    assert connected == [32768, 32770, 32772]


def test_ports_of_the_other_parity_come_when_the_own_are_used_up(host: Host, high: int) -> None:
    odd = (high - EPHEMERAL_LOW) // 2
    ports = [host.bound().local.port for _ in range(odd + 1)]
    assert ports[-2:] == [high - 1, EPHEMERAL_LOW]


def test_a_host_without_free_ports_says_so(host: Host, high: int) -> None:
    listener = host.listener(port=80)
    for _ in range(EPHEMERAL_LOW, high):
        host.bound()
    assert binding(host, "127.0.0.1", 0) == "EADDRINUSE"
    assert binding(host, "127.0.0.2", 0) == "no error"
    client = host.socket()
    assert failure(client.connect, host.process, listener.getsockname()) == "EADDRNOTAVAIL"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", "EADDRINUSE"),
        ("127.0.0.1", "127.0.0.2", "no error"),
        ("0.0.0.0", "127.0.0.1", "EADDRINUSE"),
        ("127.0.0.1", "0.0.0.0", "EADDRINUSE"),
        ("::", "127.0.0.1", "EADDRINUSE"),
        ("0.0.0.0", "::", "EADDRINUSE"),
        ("::1", "127.0.0.1", "no error"),
        ("::1", "::", "EADDRINUSE"),
        ("::ffff:127.0.0.1", "127.0.0.1", "EADDRINUSE"),
    ],
)
def test_overlapping_addresses_conflict(host: Host, first: str, second: str, expected: str) -> None:
    host.bound(first, 4000)
    assert binding(host, second, 4000) == expected


def test_v6only_leaves_ipv4_alone(host: Host) -> None:
    socket = host.socket(AF_INET6)
    socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
    socket.bind(host.process, host.name("::", 4000))
    assert binding(host, "0.0.0.0", 4000) == "no error"


@pytest.mark.parametrize("option", [SO_REUSEADDR, SO_REUSEPORT])
def test_two_share_a_port_only_if_both_ask_for_it(host: Host, option: int) -> None:
    host.bound(port=4000, options=[option])
    assert binding(host, "127.0.0.1", 4000) == "EADDRINUSE"
    assert binding(host, "127.0.0.1", 4000, option) == "no error"


def test_reuseport_is_for_one_user(host: Host) -> None:
    host.bound(port=4000, options=[SO_REUSEPORT])
    host.process.uid = 1000
    assert binding(host, "127.0.0.1", 4000, SO_REUSEPORT) == "EADDRINUSE"


def test_low_ports_are_for_root(host: Host) -> None:
    host.process.uid = 1000
    assert binding(host, "127.0.0.1", 1023) == "EACCES"
    assert binding(host, "127.0.0.1", 1024) == "no error"


def test_reuseaddr_shares_with_no_listener(host: Host) -> None:
    host.listener(port=4000, options=[SO_REUSEADDR])
    assert binding(host, "127.0.0.1", 4000, SO_REUSEADDR) == "EADDRINUSE"


def test_nearest_listener_answers(host: Host) -> None:
    wildcard = host.bound("0.0.0.0", 4000, options=[SO_REUSEPORT])
    exact = host.bound("127.0.0.1", 4000, options=[SO_REUSEPORT])
    for socket in (wildcard, exact):
        socket.listen(host.process, 1)
    host.connected(InetAddress("127.0.0.1", 4000))
    host.connected(InetAddress("127.0.0.2", 4000))
    assert host.accepted(exact).local.host == "127.0.0.1"
    assert host.accepted(wildcard).local.host == "127.0.0.2"


def test_reuseport_listeners_share_by_a_hash_that_never_changes(host: Host) -> None:
    listeners = [host.listener(99, port=4000, options=[SO_REUSEPORT]) for _ in range(2)]
    for _ in range(64):
        host.connected(InetAddress("127.0.0.1", 4000))
    counts = [len(one.listener.backlog) for one in listeners if one.listener is not None]
    assert sum(counts) == 64
    assert min(counts) > 16
    one, other = InetAddress("127.0.0.1", 1), InetAddress("127.0.0.1", 2)
    assert (mixed(one, other), mixed(other, one)) == (2641304664, 887007418)


def test_time_wait_holds_the_port_of_who_closed_first_for_a_minute(host: Host) -> None:
    client, server = host.pair()
    port = server.local.port
    server.drop()
    client.drop()
    assert binding(host, "127.0.0.1", port) == "EADDRINUSE"
    assert binding(host, "127.0.0.1", port, SO_REUSEADDR) == "EADDRINUSE"
    host.clock.wait(59.9)
    assert binding(host, "127.0.0.1", port) == "EADDRINUSE"
    host.clock.wait(0.1)
    assert binding(host, "127.0.0.1", port) == "no error"


def test_time_wait_yields_to_reuseaddr_if_the_listener_had_it(host: Host) -> None:
    client, server = host.pair(options=[SO_REUSEADDR])
    server.drop()
    client.drop()
    assert binding(host, "127.0.0.1", server.local.port) == "EADDRINUSE"
    assert binding(host, "127.0.0.1", server.local.port, SO_REUSEADDR) == "no error"


def test_server_port_is_free_when_the_client_closed_first(host: Host) -> None:
    client, server = host.pair()
    client.drop()
    server.drop()
    assert binding(host, "127.0.0.1", server.local.port) == "no error"
    assert binding(host, "127.0.0.1", client.local.port) == "EADDRINUSE"


def test_fin_wait_2_holds_the_port_until_its_own_time_is_over(host: Host) -> None:
    _, server = host.pair()
    server.drop()
    assert binding(host, "127.0.0.1", server.local.port) == "EADDRINUSE"
    host.clock.wait(60)
    assert binding(host, "127.0.0.1", server.local.port) == "no error"


def test_fin_that_comes_when_fin_wait_2_is_over_meets_nobody(host: Host) -> None:
    client, server = host.pair()
    server.drop()
    host.clock.wait(60)
    client.shutdown(1)
    assert client.take_error() == errno.ECONNRESET
    assert binding(host, "127.0.0.1", server.local.port) == "no error"


def test_a_4_tuple_in_time_wait_may_be_taken_over_after_a_second(host: Host) -> None:
    listener = host.listener()
    address = listener.getsockname()
    client = host.connected(address, source=4000)
    host.accepted(listener)
    client.drop()
    again = host.socket(options=[SO_REUSEADDR])
    assert failure(again.bind, host.process, InetAddress("127.0.0.1", 4000)) == "EADDRINUSE"
    host.clock.wait(61)
    again.bind(host.process, InetAddress("127.0.0.1", 4000))
    assert again.connect(host.process, address) is None


def test_automatic_ports_never_run_out_of_4_tuples_while_time_stands_still(
    host: Host, high: int
) -> None:
    listener = host.listener()
    for _ in range(high - EPHEMERAL_LOW + 10):
        client = host.connected(listener.getsockname())
        server = host.accepted(listener)
        client.drop()
        server.drop()
    assert host.clock.now() == 0
    assert len(host.kernel.inet.tcp._waiting) <= high - EPHEMERAL_LOW


def test_a_listener_keeps_no_more_time_waits_than_there_are_names(host: Host) -> None:
    listener = host.listener()
    for _ in range(3):
        client = host.connected(listener.getsockname(), source=4000)
        server = host.accepted(listener)
        server.drop()
        client.drop()
    assert len(host.kernel.inet.tcp._waiting) == 1

"""The resolver: names have addresses, for whom and when they are told to."""

from __future__ import annotations

import socket

import pytest

from asyncipc.network.internet.resolver import (
    AF_UNSPEC,
    EAI_ADDRFAMILY,
    EAI_AGAIN,
    EAI_FAIL,
    EAI_FAMILY,
    EAI_NODATA,
    EAI_NONAME,
    Answer,
    Failure,
    Resolver,
)

AF_INET, AF_INET6 = 2, 10


@pytest.fixture
def resolver() -> Resolver:
    resolver = Resolver()
    resolver.set("server", ["10.0.0.2", "fd00::2", "10.0.0.3"])
    return resolver


def test_the_errors_are_those_of_the_platforms_getaddrinfo() -> None:
    assert (EAI_NONAME, EAI_AGAIN, EAI_FAIL, EAI_FAMILY) == (
        socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_FAMILY,
    )  # fmt: skip
    assert (EAI_NODATA, EAI_ADDRFAMILY) == (socket.EAI_NODATA, socket.EAI_ADDRFAMILY)


@pytest.mark.parametrize(
    ("family", "addresses"),
    [
        (AF_UNSPEC, ("fd00::2", "10.0.0.2", "10.0.0.3")),
        (AF_INET, ("10.0.0.2", "10.0.0.3")),
        (AF_INET6, ("fd00::2",)),
    ],
)
def test_a_name_has_addresses_of_families(
    resolver: Resolver, family: int, addresses: tuple[str, ...]
) -> None:
    assert resolver.lookup("server", family, 7) == Answer(addresses, 7)


def test_addresses_that_the_host_cannot_reach_come_last(resolver: Resolver) -> None:
    answer = resolver.lookup("server", AF_UNSPEC, 0, families=[AF_INET])
    assert answer == Answer(("10.0.0.2", "10.0.0.3", "fd00::2"), 0)


def test_names_are_alike_whatever_their_case_and_with_the_roots_dot(resolver: Resolver) -> None:
    assert resolver.lookup("SERVER.", AF_INET6, 0) == Answer(("fd00::2",), 0)


def test_a_name_that_nobody_has_set_does_not_exist(resolver: Resolver) -> None:
    assert resolver.lookup("nobody", AF_INET, 5) == Failure(EAI_NONAME, 5)


def test_a_name_without_addresses_of_the_family_has_no_data(resolver: Resolver) -> None:
    resolver.set("four", ["10.0.0.4"])
    assert resolver.lookup("four", AF_INET6, 0) == Failure(EAI_NODATA, 0)


def test_addresses_and_localhost_need_no_server(resolver: Resolver) -> None:
    resolver.latency_s = 1.0
    assert resolver.lookup("10.0.0.9", AF_UNSPEC, 3) == Answer(("10.0.0.9",), 3)
    assert resolver.lookup("FD00:0::9", AF_INET6, 3) == Answer(("fd00::9",), 3)
    assert resolver.lookup("10.0.0.9", AF_INET6, 3) == Failure(EAI_ADDRFAMILY, 3)
    assert resolver.lookup("localhost", AF_UNSPEC, 3) == Answer(("::1", "127.0.0.1"), 3)


def test_other_families_are_refused(resolver: Resolver) -> None:
    assert resolver.lookup("server", 1, 0) == Failure(EAI_FAMILY, 0)


def test_an_answer_takes_its_time(resolver: Resolver) -> None:
    resolver.latency_s = 0.02
    resolver.delay("slow", 0.5)
    assert resolver.lookup("server", AF_INET6, 10) == Answer(("fd00::2",), 20_000_010)
    assert resolver.lookup("slow", AF_INET, 10) == Failure(EAI_NONAME, 500_000_010)


def test_a_server_that_is_silent_is_given_up_after_all_attempts(resolver: Resolver) -> None:
    resolver.fail("server", EAI_AGAIN)
    assert resolver.lookup("server", AF_INET, 1) == Failure(EAI_AGAIN, 10_000_000_001)
    resolver.attempts, resolver.timeout_s = 1, 0.5
    assert resolver.lookup("server", AF_INET, 1) == Failure(EAI_AGAIN, 500_000_001)


def test_a_removed_name_does_not_exist(resolver: Resolver) -> None:
    resolver.remove("server")
    assert resolver.lookup("server", AF_INET, 0) == Failure(EAI_NONAME, 0)


def test_answers_change_over_time(resolver: Resolver) -> None:
    resolver.set("server", ["10.0.0.30"], from_ns=300)
    resolver.remove("server", from_ns=200)
    found = [resolver.lookup("server", AF_INET6 if now < 200 else AF_INET, now)
             for now in (199, 200, 299, 300)]  # fmt: skip
    assert found == [
        Answer(("fd00::2",), 199),
        Failure(EAI_NONAME, 200),
        Failure(EAI_NONAME, 299),
        Answer(("10.0.0.30",), 300),
    ]


def test_a_host_may_see_something_else_than_all_others(resolver: Resolver) -> None:
    resolver.set("server", ["192.168.0.2"], view="inside")
    assert resolver.lookup("server", AF_INET, 0, view="inside") == Answer(("192.168.0.2",), 0)
    assert resolver.lookup("server", AF_INET6, 0, view="outside") == Answer(("fd00::2",), 0)
    resolver.forget("server", view="inside")
    assert resolver.lookup("server", AF_INET6, 0, view="inside") == Answer(("fd00::2",), 0)


def test_what_is_no_address_or_no_failure_is_refused(resolver: Resolver) -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0"):
        resolver.set("server", ["10.0.0"])
    with pytest.raises(ValueError, match="EAI_AGAIN"):
        resolver.fail("server", 7)

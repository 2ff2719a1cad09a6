"""Options of IP: every range and errno was measured on Linux 6.18."""

from __future__ import annotations

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.ip.options import HOLES, IPPROTO_IP, IPPROTO_IPV6, IpOptions
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6
from tests.kernel.helpers import failure


def outcome(options: IpOptions, level: int, option: int, value: int | bytes) -> int | str:
    error = failure(lambda: options.set(level, option, value))
    return options.get(level, option) if error == "no error" else error


@pytest.mark.parametrize(
    ("option", "default", "outcomes"),
    [
        (1, 0, {-1: 255, 3: 3, 256: 0, 300: 44}),
        (2, 64, {-2: "EINVAL", -1: 64, 0: "EINVAL", 1: 1, 255: 255, 256: "EINVAL"}),
        (10, 1, {0: 0, 5: 5, 6: "EINVAL", -1: "EINVAL"}),
        (33, 1, {-1: 1, 0: 0, 255: 255, 256: "EINVAL", -2: "EINVAL"}),
        (34, 1, {0: 0, 3: 1, -1: 1}),
        (49, 1, {0: 0, 1: 1, 3: "EINVAL"}),
    ],
)
def test_ranges_of_ipv4(option: int, default: int, outcomes: dict[int, int | str]) -> None:
    options = IpOptions(AF_INET, stream=False)
    assert options.get(IPPROTO_IP, option) == default
    found = {value: outcome(options, IPPROTO_IP, option, value) for value in outcomes}
    assert found == outcomes


@pytest.mark.parametrize(
    ("option", "default", "outcomes"),
    [
        (16, 64, {-1: 64, 0: 0, 255: 255, 256: "EINVAL"}),
        (18, 1, {-1: 1, 0: 0, 256: "EINVAL"}),
        (19, 1, {0: 0, 3: "EINVAL", -1: "EINVAL"}),
        (26, 0, {-2: 1, 0: 0, 300: 1}),
        (29, 1, {0: 0, 3: 1}),
        (67, 0, {-1: 0, 3: 3, 256: "EINVAL"}),
        (200, None, {1: "ENOPROTOOPT"}),
    ],
)
def test_ranges_of_ipv6(option: int, default: int | None, outcomes: dict[int, int | str]) -> None:
    options = IpOptions(AF_INET6, stream=False)
    if default is not None:
        assert options.get(IPPROTO_IPV6, option) == default
    found = {value: outcome(options, IPPROTO_IPV6, option, value) for value in outcomes}
    assert found == outcomes


def test_a_stream_keeps_the_ecn_bits_to_itself_and_has_no_groups() -> None:
    options = IpOptions(AF_INET6, stream=True)
    assert [outcome(options, 0, 1, 255), outcome(options, 41, 67, 255)] == [252, 252]
    assert [outcome(options, 0, 33, 1), outcome(options, 41, 18, 1)] == ["EINVAL", "ENOPROTOOPT"]
    assert [outcome(options, 0, 35, bytes(8)), outcome(options, 0, 32, 0)] == ["EPROTO", "EINVAL"]
    assert options.get(0, 32) == 0


def test_a_single_byte_will_do_for_ipv4() -> None:
    options = IpOptions(AF_INET6, stream=False)
    assert outcome(options, IPPROTO_IP, 2, b"\5") == 5
    assert outcome(options, IPPROTO_IPV6, 16, b"\5") == "EINVAL"
    assert outcome(options, IPPROTO_IP, 2, b"") == "EINVAL"


def test_a_level_of_another_family_or_protocol() -> None:
    four, six = IpOptions(AF_INET, stream=False), IpOptions(AF_INET6, stream=False)
    assert failure(four.get, IPPROTO_IPV6, 26) == "EOPNOTSUPP"
    assert failure(four.get, 999, 1) == "EOPNOTSUPP"
    assert failure(four.set, IPPROTO_IPV6, 26, 1) == "ENOPROTOOPT"
    assert failure(six.get, 999, 1) == "ENOPROTOOPT"
    assert six.get(IPPROTO_IP, 49) == 0


def test_what_is_not_modelled_can_stay_off_and_is_refused_by_name() -> None:
    options = IpOptions(AF_INET6, stream=False)
    for (level, option), name in HOLES.items():
        options.set(level, option, 0)
        assert options.get(level, option) == 0
        with pytest.raises(Unsupported, match=f"{name}$"):
            options.set(level, option, 1)


def test_a_copy_goes_its_own_way() -> None:
    options = IpOptions(AF_INET, stream=True)
    options.set(0, 2, 9)
    copied = options.copy()
    copied.set(0, 2, 10)
    assert (options.get(0, 2), copied.get(0, 2)) == (9, 10)

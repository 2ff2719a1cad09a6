"""The addresses of one host: where its packets leave from, and what it hears for many.

A host is a member of its subnets (at their broadcast addresses), of the groups
that all hosts are in, and of those that its sockets have joined; each at one of
its addresses only, so that a copy comes once.

The address that a packet leaves from: of the subnets that its target is in, that
with the longest prefix, else the first of the family (RFC 6724, rules 2 and 8,
where every host is one hop away).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.ip.address import (
    ALL_HOSTS,
    ALL_HOSTS6,
    BROADCAST,
    is_ipv6,
    is_link_local,
    is_multicast,
)
from asyncipc.network.internet.subnet import Subnet

if TYPE_CHECKING:
    from asyncipc.network.internet.members import Members

INTERFACE_LOCAL: Final = "ff01:"
"""Groups of IPv6 that never leave their host."""


@final
class Addresses:
    """``subnets``: by address, in the order of attaching."""

    __slots__ = ("_heard", "_members", "subnets")

    def __init__(self, members: Members) -> None:
        self._members = members
        self.subnets: dict[str, Subnet] = {}
        self._heard: dict[str, str | None] = {}  # group, and the address it is heard at

    # -- which

    def add(self, subnet: Subnet) -> None:
        self.subnets[subnet.address] = subnet
        for group in (subnet.broadcast, ALL_HOSTS6 if is_ipv6(subnet.address) else ALL_HOSTS):
            if group is not None:
                self._heard.setdefault(group, None)
        self._settle()

    def remove(self, address: str) -> None:
        del self.subnets[address]
        for group, heard_at in tuple(self._heard.items()):
            if heard_at == address:
                self._members.leave(group, address)
                self._heard[group] = None
        self._settle()

    def _settle(self) -> None:
        """What is heard nowhere, as its address was not there or is gone, finds another."""
        for group, heard_at in tuple(self._heard.items()):
            if heard_at is None:
                self._hear(group)

    def _hear(self, group: str) -> None:
        for subnet in self.subnets.values():
            wanted = subnet.broadcast == group or is_multicast(group)
            if wanted and is_ipv6(subnet.address) == is_ipv6(group):
                self._heard[group] = subnet.address
                self._members.join(group, subnet.address)
                return

    # -- what a packet leaves from, and who is near

    def source_for(self, host: str) -> str:
        """ENETUNREACH without an address of the family of ``host``."""
        own = self._of_family(host)
        if not own:
            fail(errno.ENETUNREACH)
        if is_link_local(host) and not is_multicast(host):
            raise Unsupported("asyncipc does not model link-local addresses (fe80::/10)")
        if len(own) == 1:
            return own[0].address
        near = [subnet for subnet in own if subnet.has(host)]
        return max(near, key=_prefix).address if near else own[0].address

    def are_near(self, host: str) -> bool:
        """Is ``host`` in one of the subnets?"""
        return any(subnet.has(host) for subnet in self._of_family(host))

    def is_broadcast(self, host: str) -> bool:
        return any(subnet.broadcast == host for subnet in self.subnets.values())

    def _of_family(self, host: str) -> list[Subnet]:
        ipv6 = is_ipv6(host)
        return [subnet for subnet in self.subnets.values() if is_ipv6(subnet.address) == ipv6]

    # -- groups

    def join(self, group: str) -> None:
        if group not in self._heard:
            self._heard[group] = None
            self._hear(group)

    def leave(self, group: str) -> None:
        if group in {ALL_HOSTS, ALL_HOSTS6}:
            return
        heard_at = self._heard.pop(group, None)
        if heard_at is not None:
            self._members.leave(group, heard_at)

    def hearers(self, target: str, source: str, ttl: int) -> Iterator[str]:
        """The addresses of the other hosts that hear what ``source`` sends to many.

        With a time to live of 1 only those in the subnets of this host; with more,
        routers would hand it on to other subnets.
        """
        if ttl == 0 or target.startswith(INTERFACE_LOCAL):
            return
        heard_as = self._subnet_of(source).broadcast if target == BROADCAST else target
        far = ttl > 1 and is_multicast(target) and not is_link_local(target)
        for address in self._members.of(heard_as or ""):
            if address not in self.subnets and (far or self.are_near(address)):
                yield address

    def _subnet_of(self, source: str) -> Subnet:
        return self.subnets.get(source) or next(iter(self.subnets.values()))


def _prefix(subnet: Subnet) -> int:
    return subnet.prefix

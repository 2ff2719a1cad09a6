"""Members: which hosts a packet to a group or to a subnet is for.

A group's members are the addresses of its hosts, in the order of joining, since
it is by an address that a copy reaches its host.  A subnet is heard at its
broadcast address, as a group that all its hosts have joined.
"""

from __future__ import annotations

from typing import final


@final
class Members:
    """Of all groups of a network."""

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, None]] = {}

    def join(self, group: str, address: str) -> None:
        self._groups.setdefault(group, {})[address] = None

    def leave(self, group: str, address: str) -> None:
        """The last to leave ends the group."""
        members = self._groups.get(group, {})
        members.pop(address, None)
        if not members:
            self._groups.pop(group, None)

    def of(self, group: str) -> tuple[str, ...]:
        return tuple(self._groups.get(group, ()))

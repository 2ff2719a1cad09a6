"""The lookup of a name: getaddrinfo(3), as far as it asks somebody.

What is answered is decided when it is asked (:mod:`asyncipc.network.internet.resolver`);
the caller sleeps until the answer is there.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, gaierror
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.network.internet.resolver import (
    EAI_ADDRFAMILY,
    EAI_AGAIN,
    EAI_FAIL,
    EAI_FAMILY,
    EAI_NODATA,
    EAI_NONAME,
    Failure,
)

if TYPE_CHECKING:
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.network.internet.resolver import Answer
    from asyncipc.runtime.process import Body

MESSAGES: Final = {
    EAI_NONAME: "Name or service not known",
    EAI_AGAIN: "Temporary failure in name resolution",
    EAI_FAIL: "Non-recoverable failure in name resolution",
    EAI_NODATA: "No address associated with hostname",
    EAI_FAMILY: "ai_family not supported",
    EAI_ADDRFAMILY: "Address family for hostname not supported",
}
"""gai_strerror(3) of glibc."""


@final
class Lookup:
    """A verb: which addresses ``name`` has, for the process of ``body``."""

    restarts: Final = True

    def __init__(self, body: Body, name: str, family: int) -> None:
        host = body.host
        self._process = body.process
        self._timers = body.simulation.timers
        self._shown = name, family
        families = {AF_INET6 if is_ipv6(own) else AF_INET for own in host.addresses}
        self._told: Answer | Failure = host.simulation.resolver.lookup(
            name, family, self._timers.now(), view=host.name, families=families
        )
        self.until_ns = self._told.due_ns

    def __call__(self) -> tuple[str, ...] | WouldBlock:
        if self._timers.now() < self.until_ns:
            return self._process.await_signal()
        return self.timed_out()

    def timed_out(self) -> tuple[str, ...]:
        """The answer is there."""
        told = self._told
        if isinstance(told, Failure):
            raise gaierror(told.error, MESSAGES[told.error])
        return told.addresses

    def arguments(self) -> tuple[object, ...]:
        return self._shown

"""Names of hosts, as the faces look them up."""

from __future__ import annotations

from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.runtime.process import current

NEEDS_NOBODY = frozenset({"", "localhost", "<broadcast>"})


async def addresses_of(name: str, family: int = 0) -> tuple[str, ...]:
    """getaddrinfo(3): the addresses of a host, in the order to try them in.

    ``family``: AF_UNSPEC (0), AF_INET or AF_INET6.  Blocks while the answer is on its way.
    socket.gaierror.
    """
    body = current()
    return await body.machine.lookup(body, name, family)


async def hosts_to_try(name: str) -> tuple[str, ...]:
    """Where a connection to ``name`` may go.  A number, and what stands for one, is itself."""
    if name in NEEDS_NOBODY or is_ipv6(name) or name.rpartition(".")[2].isdecimal():
        return (name,)
    return await addresses_of(name)

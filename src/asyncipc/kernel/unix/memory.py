"""Packet memory: what the data that a UNIX socket has in flight costs its sender.

SO_SNDBUF bounds memory, not bytes: each packet counts with its head and the
slab classes and pages that its data lies in (``sk_buff.truesize``).  The
constants are those of 6.18 on x86-64; the rule is older than they are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

PAGE: Final = 4096
PACKET_HEAD: Final = 256
SHARED_INFO: Final = 320

STREAM_MAX: Final = 36544
"""The most bytes in one packet of a stream, whatever SO_SNDBUF is (measured)."""
STREAM_LINEAR_MAX: Final = 3776
"""Bytes of a stream's packet that fit beside its head; what is longer lies in pages."""
MESSAGE_LINEAR_MAX: Final = 16064
MESSAGE_PAGED_MAX: Final = 69632
MESSAGE_OVERHEAD: Final = 32
"""A message is at most so much smaller than SO_SNDBUF (unix_dgram_sendmsg)."""


@lru_cache(maxsize=4096)
def packet_memory(size: int) -> int:
    """What a packet of a stream counts."""
    return _memory(size, STREAM_LINEAR_MAX, STREAM_MAX)


@lru_cache(maxsize=4096)
def message_memory(size: int) -> int:
    """What a datagram, or a message of SOCK_SEQPACKET, counts."""
    return _memory(size, MESSAGE_LINEAR_MAX, MESSAGE_PAGED_MAX)


def _memory(size: int, linear_max: int, paged_max: int) -> int:
    paged = min(size, _whole_pages(max(0, size - linear_max)), paged_max)
    linear = -(-(size - paged) // 64) * 64 + SHARED_INFO
    return max(512, 1 << (linear - 1).bit_length()) + PACKET_HEAD + _whole_pages(paged)


def _whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE

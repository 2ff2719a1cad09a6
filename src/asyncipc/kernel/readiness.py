"""Readiness: what poll(2) says of an open file, as the bits it says it with.

Plain integers, because they are combined on the hot path.  The values are
Linux's, x86-64 and most others (asm-generic/poll.h).
"""

from __future__ import annotations

from typing import Final

IN: Final = 0x001
PRI: Final = 0x002
OUT: Final = 0x004
ERR: Final = 0x008
HUP: Final = 0x010
NVAL: Final = 0x020
RDNORM: Final = 0x040
RDBAND: Final = 0x080
WRNORM: Final = 0x100
WRBAND: Final = 0x200
RDHUP: Final = 0x2000

READABLE: Final = IN | RDNORM
WRITABLE: Final = OUT | WRNORM
UNASKED: Final = ERR | HUP
"""Reported whether asked for or not."""

"""select(2): poll(2) in three sets of descriptors, with its own idea of ready.

In the first, what hung up or failed is readable; in the second, what failed is
writable, but what only hung up is not; the third is for urgent data alone
(POLLIN_SET and its like in fs/select.c).  A number that is not open fails the
whole call when it begins; one that is closed meanwhile counts as ready.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Final, TypeAlias

from asyncipc.errors import fail
from asyncipc.kernel.descriptors import DescriptorTable
from asyncipc.kernel.poll import Poll
from asyncipc.kernel.readiness import (
    ERR,
    HUP,
    IN,
    NVAL,
    OUT,
    PRI,
    RDBAND,
    RDNORM,
    WRBAND,
    WRNORM,
)
from asyncipc.kernel.waitqueue import WouldBlock

READ_SET: Final = NVAL | RDNORM | RDBAND | IN | HUP | ERR
WRITE_SET: Final = NVAL | WRBAND | WRNORM | OUT | ERR
EXCEPT_SET: Final = NVAL | PRI
MEANINGS: Final = (READ_SET, WRITE_SET, EXCEPT_SET)
FD_SETSIZE: Final = 1024

Sets: TypeAlias = tuple[list[int], list[int], list[int]]


class Select(Poll):
    """One call of select(2).  ``sets``: to read, to write, exceptional.

    Each answered list has the numbers of its own, in their order, that are
    ready.  EBADF.
    """

    __slots__ = ("_begun", "_sets")

    def __init__(self, table: DescriptorTable, sets: Sequence[Sequence[int]]) -> None:
        self._begun = False
        self._sets = tuple(tuple(fds) for fds in sets)
        requests: dict[int, int] = {}
        for fds, meaning in zip(self._sets, MEANINGS, strict=True):
            for fd in fds:
                requests[fd] = requests.get(fd, 0) | meaning
        super().__init__(table, list(requests.items()))

    def __call__(self) -> Sets | WouldBlock:  # type: ignore[override]
        sets = self.ready()
        return sets if any(sets) else self.refusal

    def ready(self) -> Sets:  # type: ignore[override]
        """The ready ones of each set."""
        masks = self.masks()
        if not self._begun and NVAL in masks.values():
            fail(errno.EBADF)
        self._begun = True
        read, write, other = (
            [fd for fd in fds if masks[fd] & meaning]
            for fds, meaning in zip(self._sets, MEANINGS, strict=True)
        )
        return read, write, other

    def timed_out(self) -> Sets:  # type: ignore[override]
        return [], [], []

    def arguments(self) -> tuple[object, ...]:
        return self._sets

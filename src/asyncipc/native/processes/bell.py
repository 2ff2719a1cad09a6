"""The bell: one descriptor that rings for many.

An interpreter hears from the operating system through descriptors that are no
program's: its signals, the ends of its children, what its descendants tell.
They hang on one epoll(7), so that one task waits for all of them, whatever
the scheduler.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import final

import anyio


@final
class Bell:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._actions: dict[int, Callable[[], object]] = {}

    def hang(self, number: int, action: Callable[[], object]) -> None:
        """``action`` is called as long as ``number`` is readable."""
        self._epoll.register(number, select.EPOLLIN)
        self._actions[number] = action

    def take_down(self, number: int) -> None:
        """Before it is closed.  Twice is once."""
        if self._actions.pop(number, None) is not None:
            self._epoll.unregister(number)

    def ring(self) -> None:
        """Do at once what is to be done."""
        for number, _ in self._epoll.poll(0):
            action = self._actions.get(number)
            if action is not None:
                action()

    async def answer(self) -> None:
        """For as long as the run lasts."""
        while True:
            await anyio.wait_readable(self._epoll.fileno())
            self.ring()

    def close(self) -> None:
        self._actions.clear()
        self._epoll.close()

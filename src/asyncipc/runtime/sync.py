"""What a machine must offer for synchronisation: semaphores, mutexes and conditions.

They stand in memory that processes share, or have a name.  Where it says "as a
verb", that is for :func:`asyncipc.runtime.syscall.syscall`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncipc.kernel.sync.futex import Word
    from asyncipc.kernel.sync.ownership import Owner
    from asyncipc.kernel.waitqueue import WouldBlock


class SharedSemaphore(Protocol):
    """A semaphore that processes share: sem_overview(7).  ``name``: how the report calls it."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> int:
        """sem_getvalue(3)"""

    def initialize(self, value: int) -> None:
        """sem_init(3)"""

    def wait(self) -> Callable[[], WouldBlock | None]:
        """sem_wait(3), as a verb"""

    def try_wait(self) -> None:
        """sem_trywait(3)"""

    def post(self) -> None:
        """sem_post(3)"""

    def describe(self) -> str: ...


class SharedMutex(Protocol):
    """A mutex that processes share: pthread_mutex_lock(3)."""

    @property
    def name(self) -> str: ...
    def initialize(self, kind: int, robust: bool) -> None: ...
    def destroy(self) -> None: ...
    def is_locked(self) -> bool: ...
    def is_held_by(self, owner: Owner) -> bool: ...
    def lock(self, owner: Owner) -> Callable[[], WouldBlock | None]:
        """pthread_mutex_lock(3), as a verb"""

    def try_lock(self, owner: Owner) -> None: ...
    def enter(self, owner: Owner) -> bool:
        """Lock it now, if that is possible."""

    def unlock(self, owner: Owner) -> None: ...
    def make_consistent(self, owner: Owner) -> None: ...
    def leave_as_found(self, owner: Owner) -> None:
        """Unlock it, if it is an owner's who does not want it."""

    def describe(self) -> str: ...


class ConditionWaiting(Protocol):
    """One call of pthread_cond_wait(3): a verb, and what has become of its mutex."""

    @property
    def mutex(self) -> SharedMutex: ...
    @property
    def owner(self) -> Owner: ...
    @property
    def unlocked(self) -> bool:
        """Has it unlocked the mutex, and not locked it again?"""

    def __call__(self) -> WouldBlock | None: ...
    def locked_again(self) -> None: ...
    def abandon(self) -> None:
        """It is cancelled: what woke it wakes another."""


class SharedCondition(Protocol):
    """A condition that processes share."""

    @property
    def name(self) -> str: ...
    def initialize(self) -> None: ...
    def wait(self, mutex: SharedMutex, owner: Owner) -> ConditionWaiting: ...
    def signal(self) -> None: ...
    def broadcast(self) -> None: ...
    def describe(self) -> str: ...


class Sync(Protocol):
    """What stands at words of the machine's shared memory."""

    def semaphore(self, word: Word, name: str) -> SharedSemaphore: ...
    def mutex(self, word: Word, name: str) -> SharedMutex: ...
    def condition(self, word: Word, name: str) -> SharedCondition: ...

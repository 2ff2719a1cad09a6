"""A child process in a structured form: fork, pipes, wait, in one block."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Final, Self, TypeVarTuple, final

import anyio

from asyncipc import posix
from asyncipc.faces.channels import (
    Channel,
    PipeReceiveChannel,
    PipeSendChannel,
    create_pipe,
)
from asyncipc.kernel.signals.disposition import SIGKILL, SIGTERM
from asyncipc.runtime.process import check_program

Args = TypeVarTuple("Args")

PIPE: Final = -1
"""As ``subprocess.PIPE``: a new pipe to or from the child."""


@final
class ChildProcess:
    """A running child.  ``stdin`` and ``stdout``: this side of its pipes, if asked for."""

    def __init__(
        self, pid: int, stdin: PipeSendChannel | None, stdout: PipeReceiveChannel | None
    ) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self.returncode: int | None = None

    async def wait(self) -> int:
        """waitpid(2): the exit code, or minus the signal that killed it.

        Blocks until the child has ended; asking again answers the same.
        """
        while self.returncode is None:
            try:
                _, status = await posix.waitpid(self.pid)
            except InterruptedError:
                continue
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    async def collect(self) -> None:
        """``wait``, unless somebody else (a bare ``posix.wait``) has waited for it."""
        try:
            await self.wait()
        except ChildProcessError:
            pass

    def send_signal(self, signal: int) -> None:
        """kill(2); nothing if the child has been waited for."""
        if self.returncode is None:
            posix.kill(self.pid, signal)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(SIGKILL)


@asynccontextmanager
async def open_process(
    main: Callable[[*Args], Awaitable[object]],
    *args: *Args,
    stdin: int | None = None,
    stdout: int | None = None,
) -> AsyncIterator[ChildProcess]:
    """fork(2) for the length of a block: the child has ended, and was waited for, after it.

    ``stdin``, ``stdout``: None to inherit, ``asyncipc.PIPE`` for a new pipe
    (the child sees it as descriptor 0 or 1; this side is on the returned
    object), or a descriptor for the child to use.  When the block ends, its
    pipes are closed and the child is waited for; when it ends by an exception
    or a cancellation, the child is killed first.
    """
    with _Plumbing() as plumbing:
        ours_in = plumbing.lead_in(stdin)
        ours_out = plumbing.lead_out(stdout)
        child = ChildProcess(plumbing.fork(main, args), ours_in, ours_out)
        try:
            yield child
            plumbing.ours.close()
            await child.collect()
        except BaseException:
            child.kill()
            plumbing.ours.close()
            with anyio.CancelScope(shield=True):
                await child.collect()
            raise


@final
class _Plumbing:
    """What the child is to see as its descriptors 0 and 1, and who closes what."""

    def __init__(self) -> None:
        self._leads: list[tuple[int, int]] = []
        self._theirs = ExitStack()
        self.ours = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._theirs.close()
        self.ours.close()

    def lead_in(self, source: int | None) -> PipeSendChannel | None:
        if source is None:
            return None
        if source != PIPE:
            self._lead(source, 0)
            return None
        theirs, ours = create_pipe()
        self._share_out(theirs, ours, 0)
        return ours

    def lead_out(self, sink: int | None) -> PipeReceiveChannel | None:
        if sink is None:
            return None
        if sink != PIPE:
            self._lead(sink, 1)
            return None
        ours, theirs = create_pipe()
        self._share_out(theirs, ours, 1)
        return ours

    def _lead(self, fd: int, number: int) -> None:
        posix.fcntl(fd, posix.F_GETFD)  # EBADF here; the child's would come too late
        self._leads.append((fd, number))

    def _share_out(self, theirs: Channel, ours: Channel, number: int) -> None:
        self._leads.append((theirs.fd, number))
        self._theirs.callback(theirs.close)
        self.ours.callback(ours.close)

    def fork(self, main: Callable[..., Awaitable[object]], args: tuple[object, ...]) -> int:
        """Fork, and close what now belongs to the child alone."""
        check_program(main)
        pid = posix.fork(_Entrance(self._leads, main, args))
        self._theirs.close()
        return pid


@final
class _Entrance:
    """What the child does first: lay its descriptors, and become the program."""

    def __init__(
        self,
        leads: list[tuple[int, int]],
        main: Callable[..., Awaitable[object]],
        args: tuple[object, ...],
    ) -> None:
        self.__name__ = getattr(main, "__name__", "child")
        self._leads = leads
        self._main = main
        self._args = args

    async def __call__(self) -> None:
        # Out of the way of 0 and 1 first, in case they are to change places.
        leads = [(posix.fcntl(fd, posix.F_DUPFD_CLOEXEC, 3), to) for fd, to in self._leads]
        for fd, number in leads:
            posix.dup2(fd, number)
        posix.execv(self._main, *self._args)

"""Process groups and sessions: setpgid(2), setsid(2), credentials(7).

A group is *orphaned* when no member has a parent outside it, but in its
session, who could continue it: there job control is off.  A group that becomes
orphaned while a member is stopped gets SIGHUP and SIGCONT, or nobody would
ever wake it.  Not modelled: terminals.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, final

from asyncipc.errors import fail
from asyncipc.kernel.processes.process import Process, State
from asyncipc.kernel.signals.disposition import SI_KERNEL, SIGCONT, SIGHUP, SignalInfo

if TYPE_CHECKING:
    from asyncipc.kernel.kernel import Kernel


@final
class Groups:
    """The groups and sessions of one kernel's processes."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def find(self, process: Process, pid: int) -> Process:
        """The process that ``pid`` means, 0 being the caller.  ESRCH."""
        found = self._kernel.processes.get(pid) if pid else process
        if found is None:
            fail(errno.ESRCH)
        return found

    def setpgid(self, process: Process, pid: int, group: int) -> None:
        """setpgid(2): oneself, or a child that has not executed a program yet (EACCES).

        EINVAL below 0; ESRCH for others; EPERM for session leaders, other
        sessions, and groups that are not in this one.
        """
        group = group or pid or process.pid
        if group < 0:
            fail(errno.EINVAL)
        member = self.find(process, pid)
        if member.parent is process:
            if member.session != process.session:
                fail(errno.EPERM)
            if member.executed:
                fail(errno.EACCES)
        elif member is not process:
            fail(errno.ESRCH)
        if member.session == member.pid:
            fail(errno.EPERM)
        if group != member.pid and not self._in_session(group, process.session):
            fail(errno.EPERM)
        member.group = group

    def _in_session(self, group: int, session: int) -> bool:
        return any(member.session == session for member in self._members(group))

    def setsid(self, process: Process) -> int:
        """setsid(2): a session and a group of one's own; EPERM for a group's leader."""
        if self._members(process.pid):
            fail(errno.EPERM)
        process.session = process.group = process.pid
        return process.pid

    def _members(self, group: int) -> list[Process]:
        return [each for each in self._kernel.processes.values() if each.group == group]

    def is_orphaned(self, group: int) -> bool:
        return not any(self._anchors(member) for member in self._members(group) if member.alive)

    def _anchors(self, member: Process) -> bool:
        """Has it a parent that could continue the group?"""
        parent = member.parent
        if parent is None or parent is self._kernel.init:
            return False
        return parent.group != member.group and parent.session == member.session

    # -- the end of a member's parent

    def at_risk(self, process: Process) -> list[int]:
        """The groups with stopped members that the end of ``process`` may orphan.

        A zombie ties a group to its parent too, and so may undo an orphaned
        one's stop (kill_orphaned_pgrp in kernel/exit.c).
        """
        if not self._kernel.stopped:
            return []
        members = [*process.children.values(), process]
        near = dict.fromkeys([member.group for member in members if self._anchors(member)])
        return [group for group in near if self._has_stopped(group)]

    def _has_stopped(self, group: int) -> bool:
        return any(member.state is State.STOPPED for member in self._members(group))

    def rescue(self, groups: list[int]) -> None:
        """SIGHUP and SIGCONT for those that are orphaned now."""
        for group in groups:
            if self.is_orphaned(group) and self._has_stopped(group):
                self._send(group, SIGHUP)
                self._send(group, SIGCONT)

    def _send(self, group: int, signal: int) -> None:
        for member in self._members(group):
            self._kernel.delivery.deliver(member, SignalInfo(signal, SI_KERNEL))

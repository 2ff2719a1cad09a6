"""Descriptors that wait: open files without a name (Linux: anonymous inodes).

``file`` is what they share; then ``eventfd`` (the pattern), ``timerfd``,
``signalfd``, ``pidfd``; ``interest`` and ``epoll`` watch other open files, with
``nesting`` for an epoll in an epoll.  ``makers`` is the room of a kernel.  They
must never know a task or an event loop: time is the kernel's Timers, and who
reads a signalfd is who its kernel says is calling.
"""

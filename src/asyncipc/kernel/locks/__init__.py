"""Advisory locks: flock(2), and the record locks of fcntl(2), of processes and of open files.

A lock is on what an open file stands for (``OpenFile.identity``), has an owner
and a range.  This package knows who holds what, who waits for whom, and when
that is a deadlock.  It must never know what is in a file, nor who sleeps.
``lock`` first (a lock, and when two conflict), then ``waiting`` (the requests
behind it), ``registry`` (where all are found), ``flock``; then ``ranges``
(split and merge), ``deadlock``, ``records``.
"""

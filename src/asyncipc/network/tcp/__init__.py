"""TCP between hosts: the segment form of the kernel's transport.

Pure, after RFC 9293.  A connection here knows sequence numbers, windows,
retransmission and congestion; names, options, the receive queue and the states
that a program can see are the kernel's :class:`~asyncipc.kernel.tcp.socket.TcpSocket`'s.
It must never know what lies between the hosts.

Read ``segment`` (what travels), ``connections`` (who a segment is for) with ``requests`` (before
a connection) and ``time_wait`` (after it), ``agreed``, ``transport`` (one end of a connection).
Of its parts, ``arrival`` and ``emission`` are the two ways through it; ``sender`` with
``scoreboard``, ``recovery``, ``congestion`` and ``estimator``, and ``receiver`` with
``acknowledging`` its two halves; ``probes`` its patience, ``buffering`` its room.
"""

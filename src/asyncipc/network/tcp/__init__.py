"""TCP between hosts: the segment form of the kernel's transport.

Pure, after RFC 9293.  A connection here knows sequence numbers, windows,
retransmission and congestion; names, options, the receive queue and the states
that a program can see are the kernel's :class:`~asyncipc.kernel.tcp.socket.TcpSocket`'s.
It must never know what lies between the hosts.

Read ``segment`` (what travels), ``connections`` (who a segment is for),
``transport`` (one end of a connection).
"""

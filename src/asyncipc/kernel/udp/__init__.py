"""UDP: udp(7).

``socket`` is the endpoint, ``ports`` finds who gets a datagram, ``inbox`` is
the bounded buffer.  A sender must never wait: who is full drops.
"""

"""UNIX domain sockets: unix(7).

``stream`` (the pattern of the others), ``datagram``, ``seqpacket``; ``naming``,
``connection`` and ``association`` are how they find one another; ``labels`` is
a stream whose packets carry something, ``in_flight`` what they carry, and its
cycles.  It must never know of the internet.
"""

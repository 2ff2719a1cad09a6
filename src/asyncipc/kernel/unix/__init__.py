"""UNIX domain sockets: unix(7).

``stream`` (the pattern of the others), ``datagram``, ``seqpacket``; ``naming``
and ``connection`` are what they share.  It must never know of the internet.
"""

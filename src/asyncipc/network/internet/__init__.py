"""The internet layer of one host: between its kernel and the wire.

It knows the host's kernel, its addresses and the fabric.  It must never know what
a link does to packets, nor who runs on the host.

Read ``stack`` (what goes out and what comes in), ``addresses`` with ``subnet`` and
``members``, ``udp``, ``fragments``, ``icmp`` with ``control`` and ``neighbours`` (what hosts tell
each other of packets), then ``resolver`` (names).
"""

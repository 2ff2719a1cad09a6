"""TCP: tcp(7), RFC 9293 as a program sees it.

``socket`` is the endpoint and ``states`` its states; ``transport`` is the
contract with whatever carries the bytes, ``direct`` the form of one host.  The
endpoint must never know which transport it has.
"""

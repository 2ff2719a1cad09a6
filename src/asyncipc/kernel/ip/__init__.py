"""The internet of one host: addresses, routes, options, groups.

It must never know what TCP and UDP make of it.  ``inet`` is what a kernel
holds.
"""

"""The machinery that policies share: what happens around a call, for every kind of function.

A policy is configuration; what it does with a call is written once, as a generator of steps that
neither calls nor waits, and driven by whoever can: a thread, an event loop, an iteration. Nothing
in this room knows the policies' own classes, only what ``contracts`` says of them.
"""

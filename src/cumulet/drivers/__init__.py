"""The hands: each kind of driver is a small Protocol, a faithful fake and the real ones.

A driver decides nothing. It is given a complete Spec and makes it so, any number of times.
"""

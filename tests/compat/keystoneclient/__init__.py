"""python-keystoneclient, the library that other services and older tools use, against the running program.

One story for each of its managers: made, found, changed, removed, and seen gone. The client builds its objects from
what it was answered, so that an attribute which is asked for below is one that its users rely on.
"""

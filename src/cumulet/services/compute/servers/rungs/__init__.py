"""What a server stands on, one file for each: a place claimed, ports wired, volumes attached, its machine as ordered.

Each says whether it is as wished (`is_…`, pure), and takes one step towards that or away from it. Any step may be taken
twice.
"""

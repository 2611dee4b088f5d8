"""Images of servers: begun by an action, filled by a one-shot that carries the disk from node to image store.

The image of a server that boots from a volume holds no bytes: it says of which snapshots its volumes are to be made.
"""

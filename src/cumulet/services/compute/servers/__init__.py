"""Servers: the noun that all others of this room serve.

`row` remembers, `wishes` and `resource` say what goes over the wire, `status` derives what is shown, `create` and
`operations` write, `actions` names the verbs, `reconciler` makes it so with the help of `look`, `spec`
and `ladder`, whose rungs are files of their own.
"""

"""Network: what servers speak over.

Its nouns: networks, subnets, ports, security groups, routers, floating IPs, and what shares, names, limits and
describes them. Its promise: addresses, MACs and segments are given in the transaction that answers the request, unique
by an index; the reconcilers tell each node just what its own ports need, and turn what it reports into a status. Its
oddities: every attribute is a filter, a body may hold many of a noun, rules look at single attributes, and `tenant_id`
is another word for `project_id`.
"""

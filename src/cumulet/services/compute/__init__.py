"""Compute: servers, and what they are made of.

Its nouns: servers (with their actions, interfaces, volumes and history), flavors, key pairs, server groups, hosts,
aggregates, quotas. Its promise: a wish is stored in one transaction and answered at once; the reconciler brings the
world there. Its oddities: microversions from 2.1 to 2.104, two links a noun, and actions by a POST with a
single key.
"""

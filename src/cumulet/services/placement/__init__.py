"""Placement: what each node can hold, and who holds how much of it.

Its nouns: resource providers in trees, their inventories, traits and aggregates; allocations of consumers; allocation
candidates; resource classes and traits. Its promise: no inventory is ever given out twice, because an allocation is
counted by the same update that checks that it fits. Its oddities: microversions 1.0 to 1.39, and its own fault format.
"""

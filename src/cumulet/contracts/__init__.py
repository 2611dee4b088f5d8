"""Frozen records that cross the border between the control plane and a node.

A Spec is an order: ids, numbers, addresses and enums, never a path, a device name or an argument list; the node
computes those. Facts are what a node observed. Both are plain data, so that they can be stored, sent and compared.
"""

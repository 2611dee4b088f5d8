"""Assignments: who has which role where, directly, through a group, from above in the tree, or by implication."""

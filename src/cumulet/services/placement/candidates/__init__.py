"""Allocation candidates: which providers could together hold what is asked. The search is pure."""

"""The cache of an API process: copies near at hand of images whose stores are far away.

Its rows say what is kept and what shall be; the bytes lie in a store of this process alone, under names that the rows
give before the first byte. An image is queued by an administrator, or by its first download from a distant store. Nodes
keep caches of their own, by digest, of what they fetch from here.
"""

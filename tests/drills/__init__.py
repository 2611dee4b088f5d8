"""What a cloud of several nodes promises, each promise shown by one command: `script/drill NAME`, as root.

A drill starts real nodes with real guests, does to them what is to be feared, says in plain words what it does and
finds, and fails when a promise is not kept. `tests/real/cloud/test_drills.py` runs the same code.
"""

"""How the schema became what it is: numbered steps, each brought forward once in a database's life.

A step is an Alembic revision in `versions/`, written out as operations: it keeps its meaning when the rows it speaks of
have long changed. Steps are turned into statements without a connection (`statements.py`), so that they need no second
driver and run in our own transactions; what a step moves, it moves with SQL.
"""

"""LDAP version 3, as far as reading needs it: simple binds and searches, asynchronous and within limits.

`ber.py` and `filters.py` are the encoding, `messages.py` the questions and answers, `connection.py` one conversation,
`directory.py` the directory that the house knows.
"""

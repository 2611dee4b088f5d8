"""Domains whose users and groups are kept in a directory (LDAP, Active Directory), which is asked and never written.

What the directory says of somebody becomes a row like any other, under an id that follows from the domain and the
entry alone; so roles, trusts and tokens know no difference. The rows are facts from the world: whoever lists or names
users has the directory asked first, a token lives on facts that are at most a minute old, and only what changed is
written. Somebody whom the directory no longer shows is gone, but what was granted to him waits for his return.

`options.py` is what an operator sets, `people.py` reads entries (pure), `domain.py` asks, `facts.py` writes down,
`registry.py` knows which domain has a directory, `looking.py` is what the rest of the room calls.
"""

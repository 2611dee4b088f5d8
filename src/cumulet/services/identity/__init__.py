"""Identity: who people are, what they may do and where, and which services the cloud has.

Its nouns: domains, projects, users, groups, roles and their assignments; tokens; services, endpoints and regions;
application credentials, trusts and other credentials; limits; policies; identity providers who vouch for people, with
their protocols and mappings, and other clouds that let ours in. Its promise: a disabled user, a lost role or a
revoked token is refused at once, and a token that was seen before costs no query. Its oddities: lists carry links to
themselves, fields it does not know are kept, a domain is a project, and errors of authentication never tell which part
was wrong.
"""

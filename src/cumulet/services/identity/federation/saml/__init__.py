"""SAML 2.0: assertions that this cloud believes, and those that it makes for other clouds.

`xml.py` reads and writes what may be hostile, `signing.py` signs and verifies, `reading.py` decides whether an
assertion counts, `service.py` is this cloud as the one who believes, `issuing.py` as the one who is believed.
"""

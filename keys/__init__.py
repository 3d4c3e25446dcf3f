"""Custody: the only code that touches private keys and data keys.

Nothing here knows the database, the network or the house above. No key material is ever in the repository, a log or an
error text; `repr` of every holder is blank.
"""

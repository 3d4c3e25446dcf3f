"""How things come in and leave the building: one file or folder per way.

Each way out is an `Adapter` (gateway/core/deliveries.py): it gets a parcel, answers with an outcome, and raises nothing
for what a partner or a network does. Invariant: an adapter touches the network and never the database. Thin ways
(`inbox`, `webhook`) carry ids only; the recipient fetches the content with its own token.
"""

"""The demonstration: one invented incident through the real doors, from a police notification to a verified proof.

It plays the partners' side (a police system, a school's mail server, a webhook receiver) against a gateway that is the same
as any other but for its clock, its keys and its name. Everything here is invented.
"""

"""The other side: client software of an agency, and what it checks of what the gateway answers.

Used by `gateway submit`, by the demonstration and by the tests. It knows the wire and nothing of the gateway's inside.
"""

"""All SQL stands here, and only here.

`transaction` runs plain functions in transactions (over `engines`, what differs between SQLite and PostgreSQL, and
`lane`, queues and threads); `tables` names every table and what editing it could do; the other modules are queries
grouped by noun, each a function of a `Tx`; `migrations` brings a database to these tables. Every query about an
incident names its partnership.
"""

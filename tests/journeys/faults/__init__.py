"""A deployment on PostgreSQL, Celery and Valkey to which everything happens that happens to machines, by a seeded plan.

`plan` says what goes wrong and when, `machines` are the parts that die, `network` the lines that are cut, `far_end` the partner that
fails, is slow, lies and answers late, `town` puts them together, and `judge` says afterwards whether every promise was kept.
"""

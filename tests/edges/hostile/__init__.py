"""What a hostile or broken caller may send: seventy-five groups, each with the tests that show what becomes of it.

`groups.py` is the table; the tests here are those that stand nowhere else.
"""

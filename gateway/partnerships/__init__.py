"""Rule packs: each partnership's arrangements as data, one folder each, and what reads them.

    packs            a folder into a `core.rules.Pack`, or what is wrong with it, with the line and the remedy
    clock_tables     its clocks; calendars: its bank holidays and opening hours
    contradictions   what is wrong with a pack that can be read
    vocabulary, readable    the words that rules may use, and what they may read of each message type
    directory_files -> directory_tables, directory_rows, gias -> directory_plan    an address book from a file
    register_files, sheets    the old spreadsheet in, registers out
    sandbox_peers    the invented agencies that a partner's developer tries things with

How to write a pack stands in README.md beside this file; each requirement and its test in requirements.md.
"""

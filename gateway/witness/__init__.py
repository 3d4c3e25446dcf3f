"""A partner's witness of the log: a program of its own with its own key and its own small file, and no gateway behind it."""

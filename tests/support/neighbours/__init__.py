"""Stand-ins for other packs, written from the interfaces that they use and with their faults.

No code of theirs is in here. Each module says which packs it stands for, and what is wrong with
them.
"""

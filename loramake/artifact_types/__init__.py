"""What each artifact contains, as types: a module per stage. A test compares every one of them with its schema.

A type says which keys there are and of which kind their values are; ranges, patterns and lengths stand in the schema
alone.
"""

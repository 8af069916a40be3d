"""The content of each artifact as types, one module per stage. A test compares every type with its schema.

A type defines the keys and the types of their values; ranges, patterns and lengths are only in the schema.
"""

"""Bytes of one format to blocks of text, one module for each format. Runs in a process of its own.

A reader is a function `read(data: bytes) -> Iterator[Block]`. It raises `Unreadable` with the reason, in words that
follow "NAME cannot be read: "; whatever else it raises counts as a broken file.
"""

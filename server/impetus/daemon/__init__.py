"""One engine for all windows of a person: the shim that editors start, the socket between, and the engine's life.

`shim`, `pump`, `address`, `greeting` and `launch` run on the bare standard library, most of it left out: an editor
waits for them.
"""

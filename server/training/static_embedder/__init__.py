"""Training of the static code embedder that the package ships; not part of the wheel (see docs/static-embedder.md)."""

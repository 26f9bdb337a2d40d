"""Training of the completion model that the package ships; not part of the wheel (see docs/completion-model.md)."""

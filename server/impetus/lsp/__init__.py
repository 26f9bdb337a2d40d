"""The LSP surface: the only package that knows LSP types."""

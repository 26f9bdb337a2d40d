"""The HTTP surface: the only package that knows OpenAI JSON."""

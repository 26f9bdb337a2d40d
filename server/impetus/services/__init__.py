"""Use cases. They know the domain and its ports, never an adapter and never a protocol."""

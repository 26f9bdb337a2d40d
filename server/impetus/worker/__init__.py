"""The model worker: a child process that alone imports the model runtime, and the engine's way to it."""

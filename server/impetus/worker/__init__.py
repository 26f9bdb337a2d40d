"""The engine's child processes, and its way to them: the model worker, which alone imports the model runtime, and the
index worker, which takes large scans."""

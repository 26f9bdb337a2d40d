"""The command line: thin commands over the same sessions that editors use. Nothing heavy is imported before a command
needs it."""

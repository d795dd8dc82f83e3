"""Processes beside the server: each takes work from a queue or a socket until it is told to stop."""

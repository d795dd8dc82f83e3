"""The Python door: the same calls in this process or against a server; what is not used is not imported."""

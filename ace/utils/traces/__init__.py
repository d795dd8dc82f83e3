"""Other people's traces: one reader a format, each a pure function from one record to the pieces of traces in it."""

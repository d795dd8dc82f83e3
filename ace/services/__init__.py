"""Use cases: one file per sentence a user can say; they speak to ports, never to a library."""

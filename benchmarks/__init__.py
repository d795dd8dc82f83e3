"""What ACE costs, beside what one would use instead: `make bench`, or one script at a time."""

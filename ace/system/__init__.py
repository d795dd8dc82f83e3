"""What this machine gives: files, and who may read them."""

"""The role that reads what happened and says what is to be learned from it."""

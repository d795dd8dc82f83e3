"""The role that does the task with the bullets that fit it, and says which it used."""

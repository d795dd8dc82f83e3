"""What an operator or a schedule runs by name: `python -m ace.ops.<name>`."""

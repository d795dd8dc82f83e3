"""`python -m ace` is `ace`."""

from ace.cli import main

main()

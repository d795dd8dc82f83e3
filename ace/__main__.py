"""`ace`, and `python -m ace`: the command, or how to get what it needs."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command."""
    try:
        from ace.cli import main as run
    except ModuleNotFoundError as missing:
        sys.exit(f"ace: {missing.name} is not installed. Run: pip install 'ace-playbook-server[server]'.")
    run()


if __name__ == "__main__":
    main()

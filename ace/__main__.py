"""`ace`, and `python -m ace`: the command, or how to get what it needs. Claude Code's hook waits for nothing else."""

from __future__ import annotations

import sys
import time

BEGAN = time.monotonic()


def main() -> None:
    """Run the command."""
    if sys.argv[1:3] == ["claude", "hook"] and not {"-h", "--help"} & set(sys.argv):
        from ace.integrations import claude_hook

        claude_hook.main(sys.argv[3:], BEGAN)
    try:
        from ace.cli import main as run
    except ModuleNotFoundError as missing:
        sys.exit(f"ace: {missing.name} is not installed. Run: pip install 'ace-playbook-server[server]'.")
    run()


if __name__ == "__main__":
    main()

"""ACE Playbook: agents that learn strategies from what happened to them. Importing this is cheap; work is not."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]

"""ACE Playbook: agents that learn strategies from what happened to them. Importing this is cheap; work is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ace.sdk.async_playbook import AsyncPlaybook
    from ace.sdk.playbook import Playbook

__version__ = "0.1.0"
__all__ = ["AsyncPlaybook", "Playbook", "__version__"]


def __getattr__(name: str) -> Any:
    """The public names, imported when first asked for."""
    if name == "Playbook":
        from ace.sdk.playbook import Playbook as found
    elif name == "AsyncPlaybook":
        from ace.sdk.async_playbook import AsyncPlaybook as found  # type: ignore[assignment]
    else:
        raise AttributeError(f"module 'ace' has no attribute {name!r}")
    globals()[name] = found
    return found

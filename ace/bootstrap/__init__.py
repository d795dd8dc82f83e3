"""The composition root: each concrete class is named here once, and built when first asked for.

    App ── models ── service ── playbooks ── stores      each knows what stands to the right of it, and nothing else

Heavy libraries (FAISS, onnxruntime, DSPy) are imported by the part that needs them, when it is needed, so that
`ace --help` never pays for them.
"""

from __future__ import annotations

from ace.bootstrap.models import Models, Workshop

__all__ = ["App", "Workshop"]


class App(Models):
    """Everything one process needs, wired from its settings."""

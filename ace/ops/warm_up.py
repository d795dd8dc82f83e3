"""`python -m ace.ops.warm_up`: make what is made from model files at first use, so that their folder may be read-only.

An image runs this once while it is built, after `ace models pull`.
"""

from __future__ import annotations

from ace.utils import commands


def warm_up() -> None:
    """Load every local model once, and leave beside its files what later starts read.

    Example: python -m ace.ops.warm_up
    """
    from ace.config import get_settings
    from ace.core.ports import Pair
    from ace.utils.embeddings import LocalEmbedder
    from ace.utils.local_model import LocalModel
    from ace.utils.nli import NliSecondLook

    models = get_settings().models_path
    LocalEmbedder(models).embed(["a text"])
    NliSecondLook(models).judge([Pair(left="Round up.", right="Never round up.", cosine=0.9)])
    with LocalModel(models):
        pass


def main() -> None:
    commands.run(warm_up)


if __name__ == "__main__":
    main()

"""Every page there is: to import one is to put it behind the door."""

from __future__ import annotations

from ace.web.pages import (
    atlas,
    bullet,
    episodes,
    figures,
    files,
    history,
    overview,
    playbook,
    review,
    runs,
    signing,
    worth,
)
from ace.web.pages.door import router

__all__ = ["PAGES", "router"]
PAGES = (signing, files, overview, playbook, bullet, review, episodes, history, atlas, figures, runs, worth)

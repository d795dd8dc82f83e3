"""A real Chromium for the tests of the pages: found, started, looked through.

Taken is the first there is of: $ACE_CHROMIUM, what `chromium` or `google-chrome` on PATH is, Playwright's own.
Pictures are kept in `.artifacts/pages`, which git does not track.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

ARTIFACTS = Path(__file__).parents[2] / ".artifacts" / "pages"
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = "no Chromium: apt-get install chromium, or playwright install chromium, or set ACE_CHROMIUM to one"
OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"]


def executable() -> str | None:
    """The system's Chromium; None leaves it to Playwright."""
    return os.environ.get("ACE_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def started() -> Iterator[Browser]:
    """A headless browser; skips the test, saying how to mend it, where there is none."""
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=executable(), args=OPTIONS)
        except Error as error:
            if executable() is None:
                pytest.skip(REMEDY)
            raise error
        yield browser
        browser.close()


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong, one line each."""
    page.context.pages[0].evaluate("0")
    source = AXE.read_text()
    page.evaluate(source)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]

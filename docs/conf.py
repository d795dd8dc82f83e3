"""How `make site` turns these pages into a site: nothing is fetched, and a warning is an error.

The pages stay plain Markdown that reads the same in the repository. Navigation stands in `index.md` alone.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

from ace import __version__

ROOT = Path(__file__).resolve().parent.parent
project, author, release = "ACE Playbook", "the ACE Playbook contributors", __version__
copyright = author  # noqa: A001
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
default_role = "code"  # docstrings name things in `single` backticks

myst_heading_anchors = 4
myst_enable_extensions = ["attrs_block"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "ACE Playbook"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
_LINK = re.compile(r"\[(?P<words>[^\[\]]+)\]\((?P<target>\.\./[^)#\s]+)\)")
_COLUMNS = re.compile(r"\S {2,}\S")


def columns_as_they_are(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """A paragraph of aligned columns, or one that is indented, keeps its form."""
    del app, what, name, thing, options
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    lines[:] = "\n\n".join(
        _kept(one) if _COLUMNS.search(one) or one.startswith(" ") else one for one in paragraphs
    ).splitlines()


def _kept(paragraph: str) -> str:
    return ".. code-block:: text\n\n" + textwrap.indent(textwrap.dedent(paragraph), "   ")


def links_out_as_paths(app: Any, page: str, source: list[str]) -> None:
    """What lies outside these pages is named, not linked: the site must stand by itself."""
    here = (Path(app.srcdir) / page).parent

    def named(link: re.Match[str]) -> str:
        path = (here / link["target"]).resolve()
        if path.is_relative_to(app.srcdir):
            return link[0]
        inside = f"`{path.relative_to(ROOT)}`"
        return inside if str(path).endswith(link["words"]) else f"{link['words']} ({inside})"

    source[0] = _LINK.sub(named, source[0])


def other_guides_too(app: Any, page: str, source: list[str]) -> None:
    """A guide that `index.md` does not name yet stands at the end of the guides."""
    if page == "index":
        every = {f"guides/{file.stem}" for file in (Path(app.srcdir) / "guides").glob("*.md")}
        others = sorted(every - set(source[0].splitlines()))
        source[0] = source[0].replace("(the other guides)\n", "".join(f"{name}\n" for name in others))


def setup(app: Any) -> None:
    app.add_lexer("cron", TextLexer)
    app.connect("source-read", links_out_as_paths)
    app.connect("source-read", other_guides_too)
    app.connect("autodoc-process-docstring", columns_as_they_are)

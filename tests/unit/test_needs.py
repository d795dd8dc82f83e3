"""An integration without its library says how to get it."""

import pytest

from ace.integrations.needs import needs


def test_a_missing_library_names_the_extra_that_brings_it() -> None:
    remedy = r"no_such_library is not installed. Run: pip install 'ace-playbook-server\[langchain\]'"
    with pytest.raises(ImportError, match=remedy), needs("langchain"):
        import no_such_library  # type: ignore[import-not-found]  # noqa: F401


def test_what_is_installed_is_imported() -> None:
    with needs("nothing"):
        import json
    assert json.dumps({}) == "{}"

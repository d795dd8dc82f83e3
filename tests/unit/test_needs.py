"""An integration without its library says how to get it."""

import pytest

from ace.integrations.needs import needs


def test_a_missing_library_names_the_extra_that_brings_it() -> None:
    with (
        pytest.raises(ModuleNotFoundError, match=r"pip install 'ace-playbook-server\[langchain\]'") as told,
        needs("langchain"),
    ):
        import no_such_library  # type: ignore[import-not-found]  # noqa: F401
    assert told.value.name == "no_such_library"


def test_what_is_installed_is_imported() -> None:
    with needs("nothing"):
        import json
    assert json.dumps({}) == "{}"

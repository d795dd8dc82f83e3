"""`pip install ace-playbook-server`, without extras, is a client of a server: it needs two small libraries."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

import pytest

BASE = "ace-playbook-server"
ONLY = """
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, NotInstalled())
"""


def needed(name: str) -> set[str]:
    """A distribution and what it brings without its extras."""
    try:
        requirements = distribution(name).requires or []
    except PackageNotFoundError:
        return set()
    asked = {re.split(r"[^\w.-]", line)[0] for line in requirements if "extra ==" not in line}
    return {name.lower().replace("_", "-")}.union(*(needed(one) for one in asked))


@pytest.fixture(scope="module")
def bare() -> str:
    """The beginning of a script that finds only what a bare installation holds."""
    there = needed(BASE)
    absent = {
        module
        for module, owners in packages_distributions().items()
        if not there & {owner.lower().replace("_", "-") for owner in owners}
    }
    assert {"faiss", "dspy", "fastapi", "pydantic", "numpy", "sqlalchemy", "typer"} <= absent
    return ONLY.format(absent=sorted(absent))


def ran(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)


def test_a_client_of_a_server_needs_no_server_library(bare: str) -> None:
    """It goes as far as the network: nothing is missing but the server."""
    done = ran(f"""{bare}
from ace import AsyncPlaybook, Playbook
from ace.errors import Outage
with Playbook("shop", url="http://127.0.0.1:9", key="ace_k", attempts=1) as playbook:
    with playbook.task("How many kilograms are 12 lb?") as episode:
        episode.answer("5.44 kg")
    print(type(episode.outage).__name__)
AsyncPlaybook("shop", url="http://127.0.0.1:9")
""")
    assert (done.returncode, done.stdout) == (0, "Outage\n"), done.stderr


def test_a_playbook_in_this_process_says_what_it_needs(bare: str) -> None:
    done = ran(f'{bare}\nfrom ace import Playbook\nPlaybook("shop")')
    assert done.returncode == 1
    assert "is not installed. Run: pip install 'ace-playbook-server[server]'." in done.stderr


def test_so_does_the_command(bare: str) -> None:
    done = ran(f"{bare}\nfrom ace.__main__ import main\nmain()")
    assert (done.returncode, done.stderr) == (
        1,
        "ace: typer is not installed. Run: pip install 'ace-playbook-server[server]'.\n",
    )


def test_the_hook_of_claude_code_needs_no_more(bare: str) -> None:
    """It goes as far as the network, and fails nobody."""
    done = ran(f"""{bare}
import io
sys.argv = ["ace", "claude", "hook", "--url", "http://127.0.0.1:9", "--patience", "30"]
sys.stdin = io.StringIO('{{"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": "12 lb?"}}')
from ace.__main__ import main
main()
""")
    assert (done.returncode, done.stdout) == (0, "{}\n")
    assert "The ACE server at http://127.0.0.1:9" in done.stderr and "not installed" not in done.stderr

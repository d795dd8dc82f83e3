"""Files of playbooks: read strictly, json and the paper's text format told apart by how they begin."""

from __future__ import annotations

import hashlib
import json
from codecs import BOM_UTF8
from pathlib import Path

from ace.core.carrying import Carried, from_document, from_text
from ace.errors import InvalidInput
from ace.utils.json_lines import STRICT, read_bytes


def read_playbook(file: Path) -> tuple[list[Carried], str]:
    """What the file carries, and an id that stands for its content. Raises InvalidInput naming what is wrong where."""
    data = read_bytes(file)
    try:
        carried = _read(data.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        raise InvalidInput(str(file), f"is not UTF-8 (byte {error.start + 1})", "Save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{file}, line {error.lineno}", f"is not valid JSON ({error.msg})", "Correct it") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(str(file), f"is not valid JSON: {error}", "Correct it") from error
    except InvalidInput as error:
        raise InvalidInput(f"{file}, {error.field}", error.problem, error.remedy) from error
    return carried, f"import-{hashlib.sha256(data).hexdigest()[:16]}"


def _read(text: str) -> list[Carried]:
    return from_document(STRICT.decode(text.strip())) if text.lstrip().startswith("{") else from_text(text)

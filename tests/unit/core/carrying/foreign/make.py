"""What ace-framework itself writes, without its model libraries: make.py RELEASE FOLDER, the unpacked wheel.

mem0-2.2.1.json is what `Memory.get_all(filters={"user_id": "ada"})` gave after two `add(…, infer=False)`.
"""

import importlib
import sys
import types
from pathlib import Path

RELEASE, ROOT = sys.argv[1:]
for name, path in (("ace", "ace"), ("ace.core", "ace/core")):
    package = types.ModuleType(name)
    package.__path__ = [f"{ROOT}/{path}"]
    sys.modules[name] = package

PENDING = "Check whether a charge is only pending before you call it a duplicate."
TEXTS = [
    ("Strategies", PENDING),
    ("edge cases", 'Quote values that hold a comma, a "quote" or a colon: they break the list.\nSecond line.'),
    ("tool_use", "Page through the list with `cursor`."),
]

if RELEASE in ("0.2.0", "0.5.0"):
    book = importlib.import_module("ace.playbook").Playbook()
    for section, text in TEXTS:
        book.add_bullet(section, text, metadata={"helpful": 3, "harmful": 1})
    book.tag_bullet("strategies-00001", "neutral")
elif RELEASE in ("0.7.1", "0.9.0"):
    book = importlib.import_module("ace.core.skillbook" if RELEASE == "0.9.0" else "ace.skillbook").Skillbook()
    for section, text in TEXTS:
        book.add_skill(section, text, metadata={"helpful": 3, "harmful": 1})
    book.add_skill("Strategies", "This one was taken out.")
    book.remove_skill("strategies-00004", soft=True)
else:
    book = importlib.import_module("ace.core.skillbook").Skillbook()
    source = {"sample_id": "t-1", "sample_question": "I was charged twice", "epoch": 1}
    issue = "Charges are called duplicates while one is pending."
    book.add_skill("context", issue, insight=PENDING, keywords=["billing", "double charge"], insight_source=source)
    book.add_skill("harness", "The list tool returns one page only; follow `cursor`.", keywords=["tools"])
    book.add_skill("edge cases", "Quote values that hold a comma.")
    book.tag_skill("context-00001", 1)
    book.mark_used(["context-00001"])
    book.remove_skill("context-00003")

book.save_to_file(f"ace-framework-{RELEASE}.json")
Path(f"ace-framework-{RELEASE}.md").write_text(str(book) if RELEASE != "0.2.0" else book.as_prompt())
if RELEASE in ("0.5.0", "0.7.1", "0.9.0"):
    Path(f"ace-framework-{RELEASE}.toon").write_text(book.as_prompt())

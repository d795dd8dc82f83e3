"""The ACE paper's finance files as they are: each line `{"context": <the whole prompt>, "target": <the answer>}`.

    FiNER     a list of US-GAAP tags, then numbered questions; the target is one tag per question, by commas
    Formula   a formula, what its letters mean, a question; the target is a number with two decimals

A FiNER row becomes one task per question, so that each is learned from and judged by itself. Rows that share a
sentence are of one group: no split can put a sentence on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ace.models.task import AnswerKind, Task
from ace.utils.json_lines import Row
from ace.utils.task_lines import known_answer, numbered, short_hash

FINER_CONTEXT = (
    "You are an expert of XBRL, the language of financial reports. Which US GAAP tag fits the number in [brackets] "
    "best? Answer with one of the tags allowed and nothing else."
)
FORMULA_CONTEXT = "Use this formula. Answer with a number with 2 decimal places and nothing else."

_FINER = re.compile(r"options:\s*,?(?P<options>[^.]+)\.\s.*?\n(?P<questions>1\. .*)\n\s*Output US GAAP tags:\s*", re.S)
_NUMBER = re.compile(r"(?:\A|\n)\d+\. (?=What is best tag for entity )")
_QUESTION = re.compile(r'What is best tag for entity "(?P<entity>.*?)" in sentence: "(?P<sentence>.*)"\s*', re.S)
_FORMULA = re.compile(
    r'\s*Use formula (?P<name>.*?) to answer the question\..*?\sFormula: (?P<formula>.*?)\.? Question:\s*"?'
    r'(?P<question>.*?)"?\.?\s*Answer:\s*',
    re.S,
)
_RULE = "is not a {} prompt of the paper's files"


def is_paper_row(row: Row) -> bool:
    """Whether a line has the fields of the paper's files."""
    return row.fields.keys() == {"context", "target"}


def finer_question(sentence: str, entity: str) -> str:
    """The question a model and a search see: the sentence with the entity in brackets.

    All places where the entity stands as a word are marked: the original prompt does not say which is meant.
    """
    words = sentence.split(" ")
    if entity in words:
        return " ".join(f"[{word}]" if word == entity else word for word in words)
    return sentence.replace(entity, f"[{entity}]") if entity in sentence else f"{sentence} [{entity}]"


@dataclass(frozen=True, kw_only=True, slots=True)
class _FinerRow:
    """A row taken apart: `asked` holds (entity, sentence, tag)."""

    options: tuple[str, ...]
    asked: tuple[tuple[str, str, str], ...]
    key: str


def read_finer(rows: Sequence[Row]) -> list[Task]:
    """One task per question. Raises InvalidInput naming the first line and field that cannot be used."""
    parsed = [_finer_row(row) for row in rows]
    names = numbered(row.key for row in parsed)
    groups = _linked(names, [{sentence for _, sentence, _ in row.asked} for row in parsed])
    return [
        Task(
            id=f"{name}.{number}",
            question=finer_question(sentence, entity),
            context=FINER_CONTEXT,
            options=row.options,
            ground_truth=tag,
            group=group,
        )
        for row, name, group in zip(parsed, names, groups, strict=True)
        for number, (entity, sentence, tag) in enumerate(row.asked, start=1)
    ]


def read_formula(rows: Sequence[Row]) -> list[Task]:
    """One task per line. Raises InvalidInput naming the first line and field that cannot be used."""
    tasks = [_formula_task(row) for row in rows]
    names = numbered(task.id for task in tasks)
    return [replace(task, id=name) for task, name in zip(tasks, names, strict=True)]


def _finer_row(row: Row) -> _FinerRow:
    found = _FINER.search(row.text("context"))
    if found is None:
        raise row.fault("context", _RULE.format("FiNER"), "Give one with a tag list and numbered questions")
    options = _tags(found["options"])
    questions = [_QUESTION.fullmatch(part) for part in _NUMBER.split(found["questions"]) if part]
    tags = [tag.strip() for tag in row.text("target").split(",")]
    if len(tags) != len(questions):
        raise row.fault("target", f"has {len(tags)} tags for {len(questions)} questions", "Give one tag per question")
    asked = []
    for number, (question, tag) in enumerate(zip(questions, tags, strict=True), start=1):
        if question is None:
            raise row.fault("context", f"question {number} cannot be read", 'Ask: What is best tag for entity "…"')
        known = known_answer(row, "target", tag, AnswerKind.TEXT, options)
        asked.append((question["entity"], question["sentence"].removesuffix("?").strip(), known))
    return _FinerRow(options=options, asked=tuple(asked), key=f"finer-{short_hash(found['questions'])}")


@lru_cache(maxsize=8)
def _tags(listed: str) -> tuple[str, ...]:
    """The tag list; equal lists are one tuple, so that thousands of tasks share it."""
    return tuple(dict.fromkeys(tag.strip() for tag in listed.split(",") if tag.strip()))


def _linked(names: Sequence[str], sentences: Sequence[Iterable[str]]) -> list[str]:
    """For each row the first row it shares a sentence with, directly or through others."""
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    first: dict[str, str] = {}
    for name, texts in zip(names, sentences, strict=True):
        for text in texts:
            parent[root(name)] = root(first.setdefault(text, name))
    order = {name: place for place, name in enumerate(names)}
    earliest: dict[str, str] = {}
    for name in sorted(names, key=order.__getitem__):
        earliest.setdefault(root(name), name)
    return [earliest[root(name)] for name in names]


def _formula_task(row: Row) -> Task:
    prompt = row.text("context")
    found = _FORMULA.fullmatch(prompt)
    if found is None:
        raise row.fault("context", _RULE.format("Formula"), "Give one with a formula and a question")
    return Task(
        id=f"formula-{short_hash(prompt)}",
        question=f"{found['name']}: {found['question']}",
        context=f"{FORMULA_CONTEXT}\n{found['formula']}",
        ground_truth=known_answer(row, "target", row.text("target"), AnswerKind.NUMBER, ()),
        kind=AnswerKind.NUMBER,
        decimals=2,
    )

"""Task files are loaded whole, or refused with the file, line and field that is wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import InvalidInput
from ace.models.task import AnswerKind, Task
from ace.utils.datasets import demo_files, load, split
from ace.utils.paper_tasks import finer_question
from benchmarks.make_demo_data import make

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
FINER_FILE = SHARED / "finer" / "dev.jsonl"

needs_paper_files = pytest.mark.skipif(not FINER_FILE.exists(), reason=f"the paper's files are not at {SHARED}")

TAGS = ["SharePrice", "LineOfCredit", "Goodwill"]


def finer_row(questions: list[tuple[str, str]], target: str, tags: list[str] = TAGS) -> str:
    """A row as the paper's FiNER file has it."""
    asked = "\n".join(
        f'{number}. What is best tag for entity "{entity}" in sentence: "{sentence}?"'
        for number, (entity, sentence) in enumerate(questions, start=1)
    )
    prompt = (
        f"You are XBRL expert.  Here is a list of US GAAP tags options: ,{','.join(tags)}. Answer the following "
        f"{len(questions)} independent questions by providing only  {len(questions)} US GAAP tags answers in the order "
        f"of the questions. Provide nothing else. \n{asked}\nOutput US GAAP tags:"
    )
    return json.dumps({"context": prompt, "target": target})


def formula_row(question: str, target: str) -> str:
    prompt = (
        "Use formula Current Ratio to answer the question. Answer with a numerical answer with 2 decimal places and "
        "with no explanations or other text. Formula: Current Ratio = A / L, Explanation: A: Assets, L: Liabilities. "
        f'Question: "{question}". Answer:'
    )
    return json.dumps({"context": prompt, "target": target})


def write(folder: Path, *lines: str | bytes) -> Path:
    file = folder / "tasks.jsonl"
    file.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return file


GOOD = '{"question": "one", "ground_truth": "1"}'


def test_our_format_fills_in_what_a_line_leaves_out(tmp_path: Path) -> None:
    header = '{"name": "Sums", "about": "by hand", "defaults": {"kind": "number", "decimals": 1, "context": "Add."}}'
    file = write(
        tmp_path,
        header,
        '{"id": "a", "question": " 1 + 1 ", "ground_truth": 2, "group": "easy"}',
        "",
        '{"id": 7, "question": "Say yes", "kind": "text", "options": ["yes", "no"], "answer": "Yes"}',
        '{"id": "c", "question": "?", "decimals": 0, "context": null, "ground_truth": null}',
    )
    dataset = load(file)
    assert (dataset.name, dataset.about, dataset.format, dataset.path) == ("Sums", "by hand", "ace", file)
    number = AnswerKind.NUMBER
    assert dataset.tasks == (
        Task(id="a", question="1 + 1", context="Add.", ground_truth="2", kind=number, decimals=1, group="easy"),
        Task(id="7", question="Say yes", context="Add.", options=("yes", "no"), ground_truth="Yes", decimals=1),
        Task(id="c", question="?", kind=number, decimals=0),
    )


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    file = write(tmp_path, b"\xef\xbb\xbf" + GOOD.encode() + b"\r", b"  ", '{"question": "zwei ü"}', b"")
    assert [task.question for task in load(file).tasks] == ["one", "zwei ü"]


def test_a_made_id_follows_the_task_into_every_file(tmp_path: Path) -> None:
    """Two equal tasks of one file are told apart, and an id that the file gives is never made again."""
    first = load(write(tmp_path, GOOD, GOOD)).tasks
    other = load(write(tmp_path, '{"question": "two"}', GOOD)).tasks
    assert [first[0].id, first[1].id] == [other[1].id, f"{other[1].id}-2"]
    given = json.dumps({"id": first[0].id, "question": "three"})
    assert load(write(tmp_path, GOOD, given)).tasks[0].id == f"{first[0].id}-2"


def test_equal_options_are_one_tuple(tmp_path: Path) -> None:
    line = '{"question": "%s", "options": ["yes", "no"]}'
    tasks = load(write(tmp_path, line % "a", line % "b")).tasks
    assert tasks[0].options is tasks[1].options


def test_the_checksum_is_of_the_file(tmp_path: Path) -> None:
    one, same, other = (load(write(tmp_path, *lines)).sha256 for lines in ([GOOD], [GOOD], [GOOD, ""]))
    assert one == same != other
    assert len(one) == 64


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param('{"question": "two", "ground', "line 2: is not valid JSON", id="truncated"),
        pytest.param("question: two", "line 2: is not valid JSON", id="no-json"),
        pytest.param('["question"]', "line 2: is an array, not an object", id="array"),
        pytest.param("null", "line 2: is null, not an object", id="null"),
        pytest.param("5", "line 2: is a number, not an object", id="number"),
        pytest.param(b'{"question": "\xff"}', "line 2: is not UTF-8 (byte 15)", id="invalid-utf-8"),
        pytest.param('{"question": "a", "question": "b"}', "line 2: gives the field 'question' twice", id="twice"),
        pytest.param('{"question": "a", "answer": NaN}', "line 2: holds NaN", id="nan"),
        pytest.param('{"question": "a", "answer": -Infinity}', "line 2: holds -Infinity", id="infinity"),
        pytest.param('{"question": "a", "answer": 1e400}', "line 2: holds 1e400, which is too large", id="1e400"),
        pytest.param('{"question": "a", "answer": ' + "9" * 5000 + "}", "line 2: Exceeds the limit", id="5000-digits"),
        pytest.param("[" * 100_000, "line 2: is nested too deeply", id="bomb"),
        pytest.param('{"ground_truth": "1"}', "line 2, question: is missing", id="no-question"),
        pytest.param('{"question": null}', "line 2, question: should be a string, not null", id="null-question"),
        pytest.param('{"question": ["a"]}', "line 2, question: should be a string, not an array", id="list-question"),
        pytest.param('{"question": " "}', "line 2, question: is empty", id="blank-question"),
        pytest.param('{"question": "a\\u0000"}', "line 2, question: holds a NUL", id="nul"),
        pytest.param('{"question": "\\ud800"}', "line 2, question: holds a NUL or a lone surrogate", id="surrogate"),
        pytest.param('{"qestion": "a"}', "'qestion': is not a known field. Perhaps 'question' is meant", id="typo"),
        pytest.param('{"question": "a", "xyz": 1}', "line 2, 'xyz': is not a known field. Known: id,", id="unknown"),
        pytest.param('{"question": "a", "context": 5}', "line 2, context: should be a string, not a number", id="ctx"),
        pytest.param('{"question": "a", "context": false}', "line 2, context: should be a string", id="false-context"),
        pytest.param('{"question": "a", "group": {}}', "line 2, group: should be a string, not an object", id="group"),
        pytest.param('{"question": "a", "id": 1.5}', "line 2, id: should be a string, not a number", id="float-id"),
        pytest.param('{"question": "a", "id": true}', "line 2, id: should be a string, not true or false", id="bool"),
        pytest.param('{"question": "a", "id": "a\\tb"}', "line 2, id: should be at most 100 printable", id="tab-id"),
        pytest.param('{"question": "a", "id": "%s"}' % ("x" * 101), "line 2, id: should be at most 100", id="long-id"),
        pytest.param('{"question": "a", "kind": "date"}', "line 2, kind: 'date' is not a kind of answer", id="kind"),
        pytest.param('{"question": "a", "kind": []}', "line 2, kind: [] is not a kind of answer", id="list-kind"),
        pytest.param('{"question": "a", "decimals": 2.0}', "line 2, decimals: should be a whole number", id="decimals"),
        pytest.param('{"question": "a", "decimals": 13}', "line 2, decimals: should be a whole number", id="13"),
        pytest.param('{"question": "a", "decimals": true}', "line 2, decimals: should be a whole number", id="true"),
        pytest.param('{"question": "a", "options": "yes"}', "line 2, options: should be an array", id="options"),
        pytest.param('{"question": "a", "options": ["b"]}', "line 2, options: should be two or more", id="one-option"),
        pytest.param('{"question": "a", "options": ["b", "B"]}', "options: should be two or more different", id="same"),
        pytest.param('{"question": "a", "options": ["b", 1]}', "line 2, options[1]: should be a string", id="number"),
        pytest.param(
            '{"question": "a", "options": ["b", "c"], "answer": "d"}',
            "line 2, answer: 'd' is not among the options",
            id="answer-not-among-options",
        ),
        pytest.param('{"question": "a", "ground_truth": 5}', "should be a string, not a number", id="number-for-text"),
        pytest.param(
            '{"question": "a", "ground_truth": "1", "answer": "1"}',
            "line 2, answer: is another name for ground_truth",
            id="answer-twice",
        ),
        pytest.param(
            '{"question": "a", "kind": "number", "ground_truth": "many"}',
            "line 2, ground_truth: 'many' is not a number",
            id="text-for-number",
        ),
        pytest.param(
            '{"question": "a", "kind": "number", "ground_truth": "inf"}',
            "line 2, ground_truth: 'inf' is not a number",
            id="inf-for-number",
        ),
        pytest.param('{"defaults": {}}', "line 2, 'defaults': is not a known field", id="header-further-down"),
        pytest.param('{"id": "first", "question": "b"}', "line 2, id: 'first' was given on line 1 already", id="id"),
    ],
)
def test_a_bad_line_is_named_with_its_field(tmp_path: Path, line: str | bytes, complaint: str) -> None:
    file = write(tmp_path, '{"id": "first", "question": "one"}', line, GOOD)
    with pytest.raises(InvalidInput, match=re.escape(complaint)) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}, line 2")


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        pytest.param('{"defaults": []}', "line 1, defaults: should be an object", id="no-object"),
        pytest.param('{"defaults": {"question": "a"}}', "line 1, 'question': is not a known field", id="not-shared"),
        pytest.param('{"defaults": {}, "nam": "a"}', "line 1, 'nam': is not a known field", id="unknown"),
        pytest.param('{"defaults": {}, "name": 5}', "line 1, name: should be a string", id="name"),
    ],
)
def test_a_bad_header_is_named_with_its_field(tmp_path: Path, header: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(complaint)):
        load(write(tmp_path, header, GOOD))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\xef\xbb\xbf \n\n", "is empty", id="blank"),
        pytest.param('{"question": "a"}'.encode("utf-16"), "is UTF-16. Save it as UTF-8", id="utf-16"),
        pytest.param(b'{"defaults": {}}\n', "has a header and no tasks", id="header-alone"),
        pytest.param(
            b'{"context": "Translate.", "target": "x"}', "neither a FiNER nor a Formula prompt", id="stranger"
        ),
    ],
)
def test_a_file_without_tasks_says_so(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        load(write(tmp_path, content))


def test_a_path_that_is_no_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        load(tmp_path / "nowhere.jsonl")
    with pytest.raises(InvalidInput, match="is not a file"):
        load(tmp_path)


def test_a_format_nobody_knows_is_refused_before_reading(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Known: auto, ace, finer, formula"):
        load(tmp_path / "nowhere.jsonl", format="csv")


def test_a_finer_row_becomes_one_task_per_question(tmp_path: Path) -> None:
    sentence = "The price was $ 25 , not 25.5 , and 25 again ."
    file = write(tmp_path, finer_row([("25", sentence), ("9", "A line of 9")], "SharePrice,LineOfCredit"))
    dataset = load(file)
    first, second = dataset.tasks
    assert dataset.format == "finer"
    assert first.question == "The price was $ [25] , not 25.5 , and [25] again ."
    assert second.question == "A line of [9]"
    assert (first.ground_truth, second.ground_truth) == ("SharePrice", "LineOfCredit")
    assert first.options == tuple(TAGS)
    assert first.options is second.options
    assert (first.id, second.id) == (f"{first.group}.1", f"{first.group}.2")


def test_finer_rows_that_share_a_sentence_are_one_group(tmp_path: Path) -> None:
    """Directly or through another row, in whatever order they stand."""
    asked = [["a 1", "b 1"], ["c 1"], ["b 1", "d 1"], ["e 1"], ["d 1"], ["f 1", "c 1"]]
    rows = [finer_row([("1", text) for text in texts], ",".join(["Goodwill"] * len(texts))) for texts in asked]
    tasks = load(write(tmp_path, *rows)).tasks
    group = {task.question: task.group for task in tasks}
    assert group["a [1]"] == group["b [1]"] == group["d [1]"] == tasks[0].group
    assert group["c [1]"] == group["f [1]"]
    assert len(set(group.values())) == 3


def test_the_same_finer_row_twice_gives_different_ids_and_one_group(tmp_path: Path) -> None:
    row = finer_row([("1", "a 1")], "Goodwill")
    first, second = load(write(tmp_path, row, row)).tasks
    assert first.id != second.id
    assert first.group == second.group


@pytest.mark.parametrize(
    ("sentence", "entity", "question"),
    [
        pytest.param("owned 34.6 % of it", "34.6", "owned [34.6] % of it", id="word"),
        pytest.param("0.8 and 0.8", "0.8", "[0.8] and [0.8]", id="every-place"),
        pytest.param("1,000 not 000", "000", "1,000 not [000]", id="words-only"),
        pytest.param("series-B7", "B7", "series-[B7]", id="within-a-word"),
        pytest.param("no number", "5", "no number [5]", id="nowhere"),
    ],
)
def test_the_number_asked_for_stands_in_brackets(sentence: str, entity: str, question: str) -> None:
    assert finer_question(sentence, entity) == question


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        pytest.param(finer_row([("1", "a 1"), ("2", "b 2")], "Goodwill"), "target: has 1 tags for 2", id="too-few"),
        pytest.param(finer_row([("1", "a 1")], "Goodwill,Goodwill"), "target: has 2 tags for 1", id="too-many"),
        pytest.param(finer_row([("1", "a 1")], "Money"), "target: 'Money' is not among the options", id="unknown-tag"),
        pytest.param(finer_row([("1", "a 1")], " "), "target: is empty", id="no-target"),
        pytest.param(
            '{"context": "US GAAP tags options: A,B. Answer.", "target": "A"}', "not a FiNER prompt", id="no-questions"
        ),
        pytest.param('{"context": "US GAAP tags", "target": 5}', "not a FiNER prompt", id="half-a-prompt"),
        pytest.param(formula_row("How much?", "much"), "target: 'much' is not a number", id="formula-target"),
        pytest.param('{"context": "Use formula", "target": "1"}', "not a Formula prompt", id="formula-prompt"),
    ],
)
def test_a_bad_row_of_the_papers_is_named_with_its_field(tmp_path: Path, row: str, complaint: str) -> None:
    file = write(tmp_path, row)
    with pytest.raises(InvalidInput, match=complaint) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}, line 1, ")


def test_a_formula_row_keeps_the_formula_and_its_explanation(tmp_path: Path) -> None:
    (task,) = load(write(tmp_path, formula_row("Assets $10, liabilities $4?", "2.5"))).tasks
    assert task.question == "Current Ratio: Assets $10, liabilities $4?"
    assert "Current Ratio = A / L, Explanation: A: Assets, L: Liabilities" in task.context
    assert (task.ground_truth, task.kind, task.decimals) == ("2.5", AnswerKind.NUMBER, 2)


@needs_paper_files
@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [("finer/dev", "finer", 2000), ("formula/train", "formula", 500), ("formula/val", "formula", 300)],
)
def test_the_papers_files_are_loaded_as_they_are(name: str, kind: str, count: int) -> None:
    dataset = load(SHARED / f"{name}.jsonl")
    assert (dataset.format, len(dataset.tasks)) == (kind, count)
    assert len({task.id for task in dataset.tasks}) == count
    assert len({id(task.options) for task in dataset.tasks}) == 1


@needs_paper_files
def test_nothing_of_a_finer_prompt_is_lost() -> None:
    """Every sentence, entity and tag of the original file is in its task, in order."""
    asked = re.compile(r'^\d+\. What is best tag for entity "(.*?)" in sentence: "(.*)\?"$', re.M)
    tasks = iter(load(FINER_FILE).tasks)
    for line in FINER_FILE.read_text().splitlines():
        row = json.loads(line)
        for (entity, sentence), tag in zip(asked.findall(row["context"]), row["target"].split(","), strict=True):
            task = next(tasks)
            assert f"[{entity}]" in task.question
            assert task.question.replace("[", "").replace("]", "") == sentence
            assert task.ground_truth == tag
    assert next(tasks, None) is None


@needs_paper_files
def test_no_split_of_the_finer_file_shares_a_sentence() -> None:
    train, held = split(load(FINER_FILE).tasks, seed=3, validation=0.3)
    left, right = ({re.sub(r"[][]", "", task.question) for task in part} for part in (train, held))
    assert not left & right
    assert len(train) + len(held) == 2000
    assert abs(len(held) - 600) < 20


@needs_paper_files
def test_the_demo_files_are_what_their_rule_gives(tmp_path: Path) -> None:
    make(FINER_FILE, tmp_path)
    for shipped in demo_files():
        assert shipped.read_bytes() == (tmp_path / shipped.name).read_bytes()


def test_the_demo_parts_are_small_and_apart() -> None:
    learn, held = (load(file) for file in demo_files())
    assert (len(learn.tasks), len(held.tasks)) == (100, 40)
    assert not {task.group for task in learn.tasks} & {task.group for task in held.tasks}
    assert all(len(task.options) == 139 and task.ground_truth for task in (*learn.tasks, *held.tasks))
    assert sum(file.stat().st_size for file in demo_files()[0].parent.iterdir()) < 100_000
    assert "CC BY-SA 4.0" in (demo_files()[0].parent / "LICENSE.md").read_text()


def documented() -> list[str]:
    return re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "task-format.md").read_text(), re.S)


@pytest.mark.parametrize("example", documented())
def test_the_examples_of_the_manual_load(tmp_path: Path, example: str) -> None:
    tasks = load(write(tmp_path, example)).tasks
    assert len(tasks) == sum("question" in json.loads(line) for line in example.splitlines())


def test_the_error_shown_in_the_manual_is_the_error_given(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD, '{"qestion": "a"}')
    with pytest.raises(InvalidInput) as caught:
        load(file)
    shown = str(caught.value).replace(str(file), "tasks.jsonl")
    assert f"ace: {shown}" in (ROOT / "docs" / "task-format.md").read_text()


@st.composite
def grouped_tasks(draw: st.DrawFn) -> list[Task]:
    groups = draw(st.lists(st.sampled_from(["", "a", "b", "c", "d"]), min_size=8, max_size=60))
    return [Task(id=f"t{i}", question="?", group=group) for i, group in enumerate(groups)]


@given(grouped_tasks(), st.integers(0, 5), st.sampled_from([0.0, 0.1, 0.25, 0.5]))
def test_a_split_parts_the_tasks_and_no_group(tasks: list[Task], seed: int, validation: float) -> None:
    try:
        train, held = split(tasks, seed=seed, validation=validation)
    except InvalidInput:
        assert len({task.group or task.id for task in tasks}) < 8  # refused only when groups are few
        return
    assert sorted([*train, *held], key=tasks.index) == tasks
    assert not {task.group for task in train if task.group} & {task.group for task in held if task.group}
    assert list(train) == [task for task in tasks if task in train]
    largest = max(Counter(task.group or task.id for task in tasks).values())
    assert round(validation * len(tasks)) <= len(held) < round(validation * len(tasks)) + largest


def test_a_split_is_the_same_on_every_machine() -> None:
    """The expected part is written down: it follows from SHA-256 over seed and group."""
    tasks = [Task(id=f"t{i}", question="?") for i in range(10)]
    held = {seed: [task.id for task in split(tasks, seed=seed, validation=0.3)[1]] for seed in (0, 1)}
    assert held == {0: ["t3", "t4", "t6"], 1: ["t1", "t3", "t8"]}


def test_a_split_may_leave_tasks_out() -> None:
    tasks = [Task(id=f"t{i}", question="?") for i in range(10)]
    train, held = split(tasks, seed=0, validation=0.2, train=0.5)
    assert (len(train), len(held)) == (5, 2)
    assert not {task.id for task in train} & {task.id for task in held}


@pytest.mark.parametrize(
    ("validation", "train", "groups"),
    [
        pytest.param(1.0, None, 9, id="all-held-out"),
        pytest.param(-0.1, None, 9, id="negative"),
        pytest.param(0.5, 0.6, 9, id="more-than-all"),
        pytest.param(0.2, 0.0, 9, id="nothing-to-train-on"),
        pytest.param(0.5, None, 1, id="one-group"),
        pytest.param(0.01, None, 9, id="too-few-tasks"),
        pytest.param(float("nan"), None, 9, id="nan"),
    ],
)
def test_a_split_that_would_leave_a_part_empty_is_refused(validation: float, train: float | None, groups: int) -> None:
    tasks = [Task(id=f"t{i}", question="?", group=f"g{i % groups}") for i in range(9)]
    with pytest.raises(InvalidInput, match="validation"):
        split(tasks, seed=0, validation=validation, train=train)

"""What is benched is found, told apart and cut the same way every time; what cannot be is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ace.errors import InvalidInput, NotFound
from ace.models.bench import Arm, BenchData, Phase, Setting
from ace.models.task import Task
from ace.services.bench_learners import Everything, Nearest, example
from ace.services.bench_methods import METHODS
from ace.services.bench_plan import Plan, checked
from ace.testing.embedder import HashEmbedder
from ace.utils.bench_room import read_run
from ace.utils.bench_tasks import distinct, load_data
from ace.utils.run_folder import RunFolder

SHARED = Path(__file__).parents[3] / "shared" / "data"
TICKETS = Path(__file__).parents[2] / "ace" / "data" / "bench" / "tickets.jsonl"
needs_paper_files = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the paper's files are not at {SHARED}")


def parts(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        lines = [{"question": f"{number}-{n}?", "ground_truth": str(n)} for n in range(4)]
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def loaded(target: object, *, data: Path | None = None, test: float = 0.5, validation: float = 0.0,
           limit: int | None = None) -> BenchData:  # fmt: skip
    return load_data(str(target), data=data, test=test, validation=validation, limit=limit)


def sizes(found: BenchData) -> tuple[int, int, int]:
    return len(found.train), len(found.validation), len(found.test)


@pytest.mark.parametrize(
    ("names", "validation", "expected"),
    [
        pytest.param(("train", "val", "test"), 0.5, (4, 4, 4), id="all-parts"),
        pytest.param(("train", "val", "test"), 0.0, (4, 0, 4), id="no-validation-wanted"),
        pytest.param(("learn", "heldout"), 0.25, (3, 1, 4), id="validation-cut-from-train"),
        pytest.param(("train", "dev"), 0.5, (4, 0, 4), id="no-test-file"),
        pytest.param(("shop_train_500_samples", "shop_test_subset_006_seed42"), 0.0, (4, 0, 4), id="long-names"),
        pytest.param(("whatever",), 0.0, (2, 0, 2), id="one-file-is-cut"),
    ],
)
def test_a_folders_files_are_told_apart(
    tmp_path: Path, names: tuple[str, ...], validation: float, expected: tuple[int, int, int]
) -> None:
    assert sizes(loaded(parts(tmp_path / "shop", *names), validation=validation)) == expected


def test_the_papers_names_are_found_under_data(tmp_path: Path) -> None:
    parts(tmp_path / "finer", "train", "test")
    parts(tmp_path, "formula_train_500_samples", "formula_val_300_samples", "other")
    assert [sizes(loaded(name, data=tmp_path)) for name in ("finer", "formula")] == [(4, 0, 4), (4, 0, 4)]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        pytest.param((), "holds no .jsonl file", id="empty"),
        pytest.param(("train", "learn"), "are both train", id="two-of-a-kind"),
        pytest.param(("train", "more"), "has no word of train, val or test", id="no-part"),
    ],
)
def test_what_cannot_be_told_apart_is_named(tmp_path: Path, names: tuple[str, ...], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        loaded(parts(tmp_path / "shop", *names))


def test_a_limit_takes_the_first_of_each_part_and_all_of_a_file_can_be_tested_on() -> None:
    assert sizes(loaded(TICKETS, limit=3, validation=0.25)) == (3, 3, 3)
    assert sizes(loaded(TICKETS, test=1.0)) == (0, 0, 48)
    assert sizes(loaded("demo")) == (100, 0, 40)
    assert loaded("tickets") == loaded(TICKETS)


def test_a_question_in_both_parts_is_told(tmp_path: Path) -> None:
    folder = parts(tmp_path / "shop", "train")
    (folder / "test.jsonl").write_text((folder / "train.jsonl").read_text())
    assert loaded(folder).notices == (
        "4 of 4 test questions stand in the train part too; remembering answers them.",
    )  # fmt: skip


def test_data_sets_of_one_name_get_names_of_their_own(tmp_path: Path) -> None:
    found = [loaded(parts(tmp_path / one / "shop", "train", "test")) for one in "ab"]
    assert [data.name for data in distinct(found)] == ["shop", "shop-2"]


@needs_paper_files
def test_the_papers_files_are_read_as_they_are() -> None:
    finer, formula = (loaded(name, data=SHARED) for name in ("finer", "formula"))
    assert len(finer.train) + len(finer.test) == 2000
    assert not {task.group for task in finer.train} & {task.group for task in finer.test}
    assert (sizes(formula), finer.metric, formula.metric) == (
        (500, 0, 300), "the tag of one number exactly right", "the number right once rounded to two decimals",
    )  # fmt: skip


def plan(*methods: str, validation: bool = True, epochs: int = 3) -> Plan:
    tasks = tuple(Task(id=f"t{n}", question=f"{n}?", ground_truth=str(n)) for n in range(2))
    data = BenchData(name="shop", metric="equal", test=tasks, train=tasks, validation=tasks if validation else ())
    chosen = {name: METHODS[name] for name in methods}
    return Plan(datasets=(data,), methods=chosen, settings=tuple(Setting), seeds=(0,), epochs=epochs)


def test_cells_that_need_the_same_training_share_it() -> None:
    arms = {arm.name: arm.phases for arm in plan("base", "ace", "ace-warm", "ace-one-epoch").arms()}
    assert arms == {
        "shop.s0.nothing.labels.fresh": (Phase.TEST,),
        "shop.s0.ace.labels.e3v": (Phase.TRAIN, Phase.TEST, Phase.STREAM),
        "shop.s0.ace.unlabelled.e3": (Phase.TRAIN, Phase.TEST, Phase.STREAM),
        "shop.s0.ace.labels.fresh": (Phase.STREAM,),
        "shop.s0.ace.unlabelled.fresh": (Phase.STREAM,),
        "shop.s0.ace.labels.e1": (Phase.TRAIN, Phase.TEST),
        "shop.s0.ace.unlabelled.e1": (Phase.TRAIN, Phase.TEST),
    }, "without labels nothing is chosen by validation, which would show them"


def test_where_labels_are_hidden_no_task_has_one() -> None:
    made = plan("base", "ace")
    for arm in made.arms():
        for phase in arm.phases:
            truths = {task.ground_truth for task in made.tasks(arm, phase)}
            assert (truths == {None}) == (phase == Phase.TEST or not arm.labels)


def test_what_nobody_could_judge_is_refused() -> None:
    made = plan("base")
    (data,) = made.datasets
    unknown = BenchData(name="shop", metric="equal", test=(*data.test, Task(id="odd", question="?")))
    with pytest.raises(InvalidInput, match="odd: has no ground_truth"):
        checked(Plan(datasets=(unknown,), methods=made.methods, settings=made.settings, seeds=(0,), epochs=1))


def test_a_history_that_no_longer_fits_loses_its_older_half_at_once() -> None:
    memory, tasks = Everything(window=100), [Task(id=str(n), question=f"{n}" * 40) for n in range(10)]
    sizes_ = []
    for task in tasks:
        memory.add(task, "yes")
        told, context = memory.shown(Task(id="new", question="new?", context="Be short."))
        lines = told.context.removesuffix("\n\nBe short.").split("\n")
        assert lines == [example(one, "yes") for one in tasks[: int(task.id) + 1]][-len(lines) :], (
            "the newest, in order"
        )
        assert not context.bullets
        sizes_.append(len(lines))
    assert sizes_ == [1, 2, 3, 4, 5, 6, 3, 4, 5, 6]


def test_the_nearest_examples_stand_where_bullets_would_each_once() -> None:
    memory = Nearest(HashEmbedder(), k=2)
    for question in ("red apples", "blue whales", "red apples", "red apples and pears"):
        memory.add(Task(id=question, question=question), question.upper())
    task = Task(id="new", question="red apples")
    told, context = memory.shown(task)
    assert told is task
    assert [scored.bullet.content for scored in context.bullets] == [
        "Question: red apples Answer: RED APPLES",
        "Question: red apples and pears Answer: RED APPLES AND PEARS",
    ]
    assert memory.nearest_answer(task) == "RED APPLES"


def test_an_arms_name_is_a_domain_and_a_run_of_another_kind_no_bench(tmp_path: Path) -> None:
    arm = Arm(dataset="finance-questions-22", seed=99, memory="everything", labels=False, epochs=20, validated=True)
    assert len(arm.name) <= 64
    with RunFolder.open(tmp_path / "other", {"kind": "eval"}), pytest.raises(InvalidInput, match="is a run of 'eval'"):
        read_run(tmp_path / "other")
    with pytest.raises(NotFound):
        read_run(tmp_path / "nowhere")

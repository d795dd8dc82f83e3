"""A playbook that wants to be everything else goes from one database to another, in each form, through real files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ace.core.carrying import between, document, markdown, paper, skill
from ace.core.ports import Pair
from ace.core.review import Policy
from ace.core.similarity import Relation
from ace.curator.semantic_curator import SemanticCurator
from ace.errors import Conflict, InvalidInput
from ace.models.foreign import Foreign
from ace.models.form import Read
from ace.models.plan import Outcome
from ace.models.playbook import Bullet, Origin, PlaybookStage, Section, SourceClass, bullet_id, normalise
from ace.models.review import ReviewMode
from ace.repositories.database import Database
from ace.repositories.playbook_repository import PlaybookRepository
from ace.repositories.review_repository import ReviewRepository
from ace.services.carrying import CHUNK, carry_in
from ace.services.review import Reviews
from ace.testing import checks
from ace.testing.clock import FrozenClock
from ace.testing.embedder import HashEmbedder
from ace.testing.index import ExactIndex
from ace.utils import playbook_files
from ace.utils.playbook_files import read_playbook
from tests.unit.core.carrying.texts import HOSTILE

BEFORE = Foreign(format="paper", file="old.txt", id="str-00001", section="OLD", helpful=9, details=(("a", "b"),))
SECRET = "Log in with password: hunter2-hunter2."


def sent() -> list[Bullet]:
    """Each hostile word in a sentence of its own."""
    texts = [normalise(f"{number} {word} and {word}") for number, word in enumerate(HOSTILE)]
    origin = Origin(source=SourceClass.HUMAN, task_id="t", model="m", foreign=(BEFORE,))
    return [Bullet(id=bullet_id("d", section, text), domain_id="d", content=text, section=section, helpful_count=7,
                   harmful_count=1, stage=PlaybookStage.PROD, origin=origin)
            for text, section in zip(texts, [*Section] * len(texts), strict=False)]  # fmt: skip


def as_json(folder: Path, given: Sequence[Bullet]) -> Path:
    (folder / "out.json").write_text(json.dumps(document.to_document("d", 7, given, [])))
    return folder / "out.json"


def as_paper(folder: Path, given: Sequence[Bullet]) -> Path:
    (folder / "out.txt").write_text(paper.to_paper(given))
    return folder / "out.txt"


def as_markdown(folder: Path, given: Sequence[Bullet]) -> Path:
    (folder / "out.md").write_text(markdown.to_markdown("d", 7, given))
    return folder / "out.md"


def as_skill(folder: Path, given: Sequence[Bullet]) -> Path:
    playbook_files.write_skill(folder / "d-playbook", skill.to_skill("d-playbook", "d", 7, given))
    return folder / "d-playbook"


def as_section(folder: Path, given: Sequence[Bullet]) -> Path:
    (folder / "AGENTS.md").write_text("# Theirs\n\n- theirs\n")
    playbook_files.write_section(folder / "AGENTS.md", "d", between.to_section("d", given))
    return folder / "AGENTS.md"


class OnlyWords:
    """Nothing is the same but the same words."""

    def judge(self, pairs: Sequence[Pair]) -> list[Relation]:
        return [Relation.DIFFERENT for _ in pairs]


def curator(database: Database, policy: Policy | None = None) -> SemanticCurator:
    store = PlaybookRepository(database)
    return SemanticCurator(
        store=store,
        index=ExactIndex(store),
        embedder=HashEmbedder(),
        second_look=OnlyWords(),
        clock=FrozenClock(),
        reviews=ReviewRepository(database),
        policy=policy or Policy(),
    )


def carried(database: Database, domain: str, path: Path, *, rehearse: bool = False) -> Counter[Outcome]:
    came, import_id = read_playbook(path)
    found = carry_in(came, domain, curator=curator(database), import_id=import_id, rehearse=rehearse)
    return Counter(one.outcome for outcomes in found for one in outcomes)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("way", [as_json, as_paper, as_markdown, as_skill, as_section])
def test_nothing_is_lost_on_the_way_and_again_nothing_is_new(
    way: Callable[[Path, Sequence[Bullet]], Path], database: Database, tmp_path: Path
) -> None:
    given = sent()
    assert len(given) > CHUNK, "in more than one transaction"
    path, store = way(tmp_path, given), PlaybookRepository(database)
    assert carried(database, "e", path, rehearse=True) == {Outcome.ADDED: len(given)}
    assert store.head("e").seq == 0
    assert carried(database, "e", path) == {Outcome.ADDED: len(given)}
    assert carried(database, "e", path) == carried(database, "e", path, rehearse=True) == {Outcome.REPEATED: len(given)}
    assert store.head("e").seq == len(given)
    came = {one.origin.foreign[-1].id: one for one in store.get_all("e")}
    assert {own: (one.content, one.section) for own, one in came.items()} == {
        one.id: (one.content, one.section) for one in given
    }
    assert {(one.stage, one.helpful_count, one.harmful_count, one.origin.source, one.origin.foreign[-1].file)
            for one in came.values()} == {(PlaybookStage.SHADOW, 0, 0, SourceClass.IMPORT, path.name)}  # fmt: skip
    kept = {(one.origin.task_id, one.origin.model, one.origin.foreign[:-1]) for one in came.values()}
    assert kept == {("t", "m", (BEFORE,)) if way is as_json else (None, None, ())}
    assert [*checks.chain(store), *checks.tables(checks.read(database))] == []


def test_what_waits_for_a_person_keeps_where_it_came_from(database: Database, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text(f"- Read on.\n- {SECRET}\n")
    came, import_id = read_playbook(tmp_path / "notes.md")
    screening = curator(database, Policy(mode=ReviewMode.SCREENS))
    (outcomes,) = carry_in(came, "d", curator=screening, import_id=import_id)
    assert [one.outcome for one in outcomes] == [Outcome.ADDED, Outcome.HELD]
    store, queue = PlaybookRepository(database), ReviewRepository(database)
    reviews = Reviews(store=store, queue=queue, curator=screening, clock=FrozenClock())
    reviews.approve("d", outcomes[1].bullet_id, by="ada")
    place = Foreign(format="markdown", file="notes.md")
    assert {one.content: one.origin.foreign for one in store.get_all("d")} == {"Read on.": (place,), SECRET: (place,)}


def test_two_ways_to_say_it_in_two_chunks_are_one_when_the_words_are_the_same(sqlite_url: str, tmp_path: Path) -> None:
    with_twin = [f"- Rule {number}\n" for number in range(CHUNK)] + ["- Rule 0\n"]
    (tmp_path / "rules.md").write_text("".join(with_twin))
    opened = Database(sqlite_url)
    try:
        for rehearse in (True, False):
            found = carried(opened, "d", tmp_path / "rules.md", rehearse=rehearse)
            assert found == {Outcome.ADDED: CHUNK, Outcome.REPEATED: 1}
    finally:
        opened.close()


def test_a_section_is_written_through_a_link_and_keeps_the_files_permissions(tmp_path: Path) -> None:
    agents, link = tmp_path / "AGENTS.md", tmp_path / "CLAUDE.md"
    agents.write_text("# Theirs\n")
    agents.chmod(0o640)
    link.symlink_to(agents)
    section = between.to_section("d", sent())
    assert playbook_files.write_section(link, "d", section)
    assert not playbook_files.write_section(link, "d", section), "again changes nothing"
    assert link.is_symlink()
    assert agents.stat().st_mode & 0o777 == 0o640
    assert agents.read_text().startswith("# Theirs\n\n<!-- ace-playbook:begin d -->\n")
    assert len(read_playbook(link)[0]) == len(HOSTILE)


def test_damaged_markers_leave_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "AGENTS.md"
    file.write_text("<!-- ace-playbook:begin d -->\n")
    with pytest.raises(InvalidInput, match=r"AGENTS\.md, line 1: begins a section that does not end"):
        playbook_files.write_section(file, "d", "new")
    assert file.read_text() == "<!-- ace-playbook:begin d -->\n"


def test_a_skill_written_again_loses_the_lists_it_no_longer_has_and_nothing_that_is_not_ours(tmp_path: Path) -> None:
    folder = tmp_path / "d-playbook"
    long = [one.evolve(content=one.content + " and so on" * 90) for one in sent()]
    playbook_files.write_skill(folder, skill.to_skill(folder.name, "d", 7, long))
    (folder / "scripts").mkdir()
    (folder / "scripts/theirs.sh").write_text("true")
    assert (folder / "references/other.md").exists()
    playbook_files.write_skill(folder, skill.to_skill(folder.name, "d", 8, long[:1]))
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert left == ["SKILL.md", "scripts/theirs.sh"]


@pytest.mark.parametrize("name", ["SKILL.md", "notes.txt"])
def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / name).write_text("---\nname: theirs\n---\n")
    with pytest.raises(Conflict, match="Name a new folder"):
        playbook_files.write_skill(tmp_path / "theirs", skill.to_skill("theirs", "d", 1, []))
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == [name]


@pytest.mark.parametrize(
    ("form", "says"),
    [
        pytest.param(Read.AUTO, r"s/SKILL\.md, line 6: has 9,000 characters", id="a-line-of-a-part"),
        pytest.param(Read.PAPER, "is a folder, and paper is written in a file", id="a-folder"),
    ],
)
def test_what_is_wrong_in_a_skill_is_named(tmp_path: Path, form: Read, says: str) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/SKILL.md").write_text(f"---\nname: s\ndescription: x\n---\n# S\n- {'x' * 9000}\n")
    with pytest.raises(InvalidInput, match=says):
        read_playbook(tmp_path / "s", form)

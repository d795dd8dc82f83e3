"""A place for backups keeps whole files under their names: in memory, in a folder, in a bucket of a real server."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ace.core.backup_ports import BackupPlace
from ace.errors import InvalidInput, NotFound, StoreUnavailable
from ace.repositories.database import Database
from ace.repositories.dump import Dump
from ace.testing.backup_place import MemoryPlace
from ace.utils.object_store import BLOCK, BucketPlace, FolderPlace, locate, open_place
from tests.backups import backups, everything, fill

FIRST, SECOND = "ace-20260101-120000.jsonl.gz", "ace-20260102-120000.jsonl.gz"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """A server that speaks S3, on the loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket's name; the environment says where it is, and who we are."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sEcReT")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    name = f"ace-{os.urandom(6).hex()}"
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT"), timeout=30).close()
    return name


@pytest.fixture(params=["memory", "folder", "bucket", "bucket-without-prefix"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> BackupPlace:
    if request.param == "memory":
        return MemoryPlace()
    if request.param == "folder":
        return open_place(f"file://{tmp_path / 'with space' / 'backups'}".replace(" ", "%20"))
    bucket = request.getfixturevalue("bucket")
    return open_place(f"s3://{bucket}/production/ace" if request.param == "bucket" else f"s3://{bucket}")


def test_a_place_gives_back_what_it_was_given(place: BackupPlace, tmp_path: Path) -> None:
    assert place.listed() == []
    contents = {FIRST: os.urandom(BLOCK + 1), SECOND: b"x"}  # more than a block is fetched in parts
    for name, content in contents.items():
        (tmp_path / "file").write_bytes(content)
        place.put(name, tmp_path / "file")
    assert [(stored.name, stored.size) for stored in place.listed()] == [(FIRST, BLOCK + 1), (SECOND, 1)]
    assert all(stored.modified.endswith("+00:00") for stored in place.listed())
    (tmp_path / "scratch").mkdir()
    for name, content in contents.items():
        assert place.fetch(name, tmp_path / "scratch").read_bytes() == content
        assert place.url(name).endswith(name)


def test_what_was_deleted_or_never_there_is_not_found(place: BackupPlace, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    place.put(FIRST, tmp_path / "file")
    place.delete(FIRST)
    assert place.listed() == []
    with pytest.raises(NotFound, match=FIRST):
        place.fetch(FIRST, tmp_path)


def test_other_files_are_passed_over_and_backups_of_one_second_keep_their_order(tmp_path: Path) -> None:
    names = ["ace-20260101-120000.jsonl.gz", "ace-20260101-120000-2.jsonl.gz", "ace-20260101-120000-10.jsonl.gz"]
    for name in [*reversed(names), "notes.txt", ".ace-20260101-120000.jsonl.gz.1.tmp", "ace-20260101.jsonl.gz"]:
        (tmp_path / name).touch()
    assert [stored.name for stored in FolderPlace(tmp_path).listed()] == names


def test_a_backup_in_a_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    FolderPlace(tmp_path / "backups").put(FIRST, tmp_path / "file")
    assert (tmp_path / "backups" / FIRST).stat().st_mode & 0o777 == 0o600


def test_a_backup_goes_to_a_bucket_and_comes_back(bucket: str, tmp_path: Path) -> None:
    source = fill(Database(f"sqlite:///{tmp_path / 'source.db'}"))
    place = open_place(f"s3://{bucket}/production")
    taken = backups().take(Dump(source), place, tmp_path)
    assert taken.url == f"s3://{bucket}/production/{FIRST}"
    (tmp_path / "scratch").mkdir()
    found, name = locate(taken.url, FolderPlace(tmp_path))
    target = Database(f"sqlite:///{tmp_path / 'target.db'}")
    backups().restore(found.fetch(name, tmp_path / "scratch"), Dump(target))
    assert everything(target) == everything(source)


def test_a_server_that_is_away_is_an_outage_with_a_remedy(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    (tmp_path / "file").write_bytes(b"x")
    place = BucketPlace(bucket, "")
    for attempt in (lambda: place.put(FIRST, tmp_path / "file"), place.listed, lambda: place.fetch(FIRST, tmp_path)):
        with pytest.raises(StoreUnavailable, match="AWS_ENDPOINT_URL") as error:
            attempt()
        assert "sEcReT" not in str(error.value)
    assert not (tmp_path / FIRST).exists()


def test_a_bucket_that_is_not_there_is_an_outage(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StoreUnavailable, match="bucket exists"):
        BucketPlace(f"{bucket}-not", "").put(FIRST, tmp_path / "file")


def test_a_folder_that_cannot_be_written_to_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        FolderPlace(tmp_path / "file" / "backups").put(FIRST, tmp_path / "file")


@pytest.mark.parametrize("url", ["", "s3://", "s3:bucket", "ftp://host/folder", "file://elsewhere/folder", "file:///"])
def test_a_url_that_names_no_place_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"ACE_BACKUP_URL.*s3://bucket/prefix"):
        open_place(url)


@pytest.mark.parametrize(
    ("where", "url"),
    [
        pytest.param("latest", "{home}/" + SECOND, id="the-newest"),
        pytest.param(FIRST, "{home}/" + FIRST, id="by-name"),
        pytest.param("/elsewhere/file.gz", "/elsewhere/file.gz", id="by-path"),
        pytest.param("file.gz", "file.gz", id="in-this-folder"),
        pytest.param("/file.gz", "/file.gz", id="at-the-root"),
        pytest.param("file:///elsewhere/file.gz", "/elsewhere/file.gz", id="by-file-url"),
    ],
)
def test_a_backup_is_named_in_many_ways(where: str, url: str, tmp_path: Path) -> None:
    for name in (FIRST, SECOND):
        (tmp_path / name).touch()
    place, name = locate(where, FolderPlace(tmp_path))
    assert place.url(name) == url.format(home=tmp_path)


def test_the_latest_of_none_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="ace db backup"):
        locate("latest", FolderPlace(tmp_path))

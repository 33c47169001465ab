"""Places of outputs: local folders and remote storage, each output whole or absent."""

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("fsspec", reason="needs the extra remote")
pytest.importorskip("pebble", reason="needs the extra batch")

import fsspec

from camerapipe.batch import places, working
from camerapipe.batch.places import exists, is_remote, place_of, publish, remove_partial, url_of
from camerapipe.cli import cli
from camerapipe.errors import OutputError, RequestError
from camerapipe.ingest import temporary_beginning
from camerapipe.naming import Outputs


@pytest.fixture(autouse=True)
def fresh():
    """No names of folders are remembered, and the storage in memory is empty."""
    places.forget()
    fsspec.filesystem("memory").store.clear()


@pytest.mark.parametrize(
    ("text", "place", "url"),
    [
        ("out/a", "out/a", "out/a"),
        ("file:///tmp/a b", "/tmp/a b", "/tmp/a b"),
        ("memory://pictures/a", "memory:/pictures/a", "memory://pictures/a"),
        ("s3://bucket/a/", "s3:/bucket/a", "s3://bucket/a"),
        ("C:\\out", "C:\\out", "C:\\out"),
        ("odd:name", "odd:name", "odd:name"),
    ],
)
def test_places_are_paths_and_give_back_their_urls(text, place, url):
    found = place_of(text)
    assert (str(found), url_of(found)) == (place, url)
    assert is_remote(found) == (place != url)


def test_unknown_storage_is_told():
    with pytest.raises(RequestError, match="did you mean 'sftp'"):
        place_of("sfpt://host/a")


def test_outputs_arrive_in_their_order_and_exist_then(tmp_path):
    outputs = Outputs(picture=Path("memory:/out/a.jpg"), map=Path("memory:/out/a_map.tiff"))
    assert not any(map(exists, outputs.paths()))
    with places.staged(outputs) as local:
        assert local.picture.name == "a.jpg" and local.picture.parent.is_dir()
        for path in local.paths():
            path.write_bytes(path.name.encode())
        publish({"map": local.map, "picture": local.picture}, outputs)
    assert not local.picture.parent.exists()
    places.forget()
    assert all(map(exists, outputs.paths()))
    assert fsspec.filesystem("memory").cat("/out/a_map.tiff") == b"a_map.tiff"
    with places.staged(Outputs(picture=tmp_path / "b.jpg")) as same:
        assert same.picture == tmp_path / "b.jpg"


def test_what_a_killed_process_left_is_removed_and_nothing_else():
    storage, place = fsspec.filesystem("memory"), Path("memory:/out/a.jpg")
    for name in ("a.jpg", f"{temporary_beginning(place)}00.tmp", ".camerapipe-other.tmp"):
        storage.pipe(f"/out/{name}", b"x")
    remove_partial(Outputs(picture=place))
    assert sorted(storage.ls("/out", detail=False)) == ["/out/.camerapipe-other.tmp", "/out/a.jpg"]


def test_storage_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    storage, outputs = fsspec.filesystem("memory"), Outputs(picture=Path("memory:/out/a.jpg"))
    storage.pipe("/out/a.jpg", b"before")
    (tmp_path / "a.jpg").write_bytes(b"after")

    def fails(*_, **__):
        raise ConnectionError("no\nway")

    monkeypatch.setattr(type(storage), "mv", fails)
    with pytest.raises(OutputError, match=r"^memory://out/a.jpg: could not be written \(no way\)$"):
        publish({"picture": tmp_path / "a.jpg"}, outputs)
    assert storage.ls("/out", detail=False) == ["/out/a.jpg"]
    assert storage.cat("/out/a.jpg") == b"before"


class InProcess:
    """Performs orders in this process."""

    workers = 1

    def __init__(self, work):
        self._work = work

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def outcomes(self, orders, *, alone=False):
        for order in orders:
            yield order, working.timed(lambda order=order: working._perform(order, self._work))


def batch(monkeypatch, *words):
    monkeypatch.setattr("camerapipe.cli.batch.engine_in", lambda options, work: InProcess(work))
    monkeypatch.setattr("camerapipe.cli.batch.prepare", lambda **_: None)
    return CliRunner().invoke(cli, ["batch", *map(str, words)])


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


@pytest.fixture
def bucket(monkeypatch):
    """URL of a bucket of an S3 server on this machine."""
    pytest.importorskip("s3fs", reason="needs s3fs")
    server = pytest.importorskip("moto.server", reason="needs moto, for an S3 server")
    import boto3

    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="pictures")
    yield "s3://pictures/out"
    running.stop()


@pytest.mark.parametrize("storage", ["memory", "file", "s3"])
def test_a_batch_writes_to_storage_and_resumes(photos, tmp_path, monkeypatch, request, storage):
    place = {"memory": "memory://out", "file": (tmp_path / "out").as_uri()}.get(storage)
    place = place or request.getfixturevalue("bucket")
    words = (photos, "-o", place, "--journal", tmp_path / "j.sqlite", "--map", "--force")
    result = batch(monkeypatch, *words)
    assert result.exit_code == 1 and "bad.jpg: " in result.stderr and "1 done" in result.stderr
    files, folder = fsspec.core.url_to_fs(place)
    names = sorted(os.path.basename(name) for name in files.find(folder))
    assert names == ["a_bokeh.png", "a_map.tiff"]
    with files.open(f"{folder}/a_bokeh.png") as file, Image.open(file) as picture:
        assert picture.size == (48, 32)
    assert "1 unchanged" in batch(monkeypatch, *words).stderr
    files.rm(f"{folder}/a_map.tiff")
    places.forget()
    assert "output missing" in batch(monkeypatch, *words, "--dry-run").stdout


def test_remote_outputs_need_a_journal_of_this_machine(photos):
    result = CliRunner().invoke(cli, ["batch", str(photos), "-o", "memory://out"])
    assert result.exit_code == 2 and "--journal" in result.stderr


def test_what_is_there_already_is_not_replaced_unasked(photos, tmp_path, monkeypatch):
    fsspec.filesystem("memory").pipe("/out/a_bokeh.png", b"mine")
    words = (photos / "a.png", "-o", "memory://out", "--journal", tmp_path / "j.sqlite")
    result = batch(monkeypatch, *words)
    assert result.exit_code == 1 and "memory://out/a_bokeh.png: exists" in result.stderr
    assert fsspec.filesystem("memory").cat("/out/a_bokeh.png") == b"mine"

"""Data files: where they are looked for, and downloads whose checksum is held. All offline."""

import hashlib
import re
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from datasets import fetch as command
from datasets import sources
from datasets.sources import PUBLIC, DataError, Remote, data_folder, fetch, locate

NAME, CONTENT = "depth_gt/made/left.png", b"not a picture, but bytes"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(sources.ENVIRONMENT, raising=False)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve one public file from this machine; gives the folder that it is in."""
    pytest.importorskip("pooch")
    served = tmp_path / "served"
    served.mkdir()
    (served / "left.png").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served)) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{http.server_port}/left.png"
        remote = Remote(url, hashlib.sha256(CONTENT).hexdigest())
        monkeypatch.setattr(sources, "PUBLIC", {NAME: remote})
        monkeypatch.setattr(command, "PUBLIC", {NAME: remote})
        yield served
        http.shutdown()
        thread.join()


def test_every_public_file_has_a_fixed_version_and_a_checksum():
    for name, (url, sha256) in PUBLIC.items():
        assert re.fullmatch(r"[0-9a-f]{64}", sha256), name
        assert url.startswith("https://") and not re.search(r"/(main|master|HEAD)/", url), name
    assert len({sha256 for _, sha256 in PUBLIC.values()}) == len(PUBLIC)


def test_checksums_are_those_of_the_files(shared_data):
    for name, (_, sha256) in PUBLIC.items():
        assert hashlib.sha256((shared_data / name).read_bytes()).hexdigest() == sha256, name


def test_checksums_agree_with_the_registry_of_scikit_image():
    registry = pytest.importorskip("skimage.data._registry")
    listed = [(url, sha) for url, sha in PUBLIC.values() if url.startswith(sources.SKIMAGE)]
    assert len(listed) == 6
    for url, sha256 in listed:
        name = f"data/{url.rsplit('/', 1)[1]}"
        assert registry.registry[name] == sha256 and registry.registry_urls[name] == url


def test_folders_in_their_order(tmp_path, monkeypatch):
    assert data_folder(tmp_path) == tmp_path
    monkeypatch.setenv(sources.ENVIRONMENT, str(tmp_path / "named"))
    assert data_folder() == tmp_path / "named"
    monkeypatch.delenv(sources.ENVIRONMENT)
    monkeypatch.setattr(sources, "SHARED_DATA", tmp_path / "absent")
    assert data_folder() == tmp_path / "cache" / "camerapipe" / "data"


def test_what_is_fetched_is_found_and_not_fetched_twice(server, tmp_path):
    with pytest.raises(DataError, match=f"{NAME}: not in .*; python -m datasets.fetch {NAME}"):
        locate(NAME, tmp_path)
    path = fetch(NAME)
    assert path.read_bytes() == CONTENT
    assert locate(NAME, tmp_path) == path
    (server / "left.png").unlink()
    assert fetch(NAME) == path


def test_files_that_scikit_image_carries_need_no_download(tmp_path):
    pytest.importorskip("skimage")
    for name in sources.CARRIED:
        content = locate(name, tmp_path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == PUBLIC[name].sha256


def test_another_content_is_refused_and_not_kept(server, tmp_path):
    (server / "left.png").write_bytes(CONTENT + b"!")
    with pytest.raises(DataError, match=f"{NAME}: http://127.* is not what it should be"):
        fetch(NAME, tmp_path / "data")
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file()]


def test_a_damaged_file_is_fetched_again(server, tmp_path):
    path = fetch(NAME, tmp_path)
    path.write_bytes(b"damaged")
    assert fetch(NAME, tmp_path).read_bytes() == CONTENT


def test_what_cannot_be_had_is_said(server, tmp_path):
    (server / "left.png").unlink()
    with pytest.raises(DataError, match=f"{NAME}: http://127.* cannot be fetched: .*404"):
        fetch(NAME, tmp_path)
    with pytest.raises(DataError, match="photos/mine.png: not public"):
        fetch("photos/mine.png", tmp_path)
    with pytest.raises(DataError, match=f"not public: set {sources.ENVIRONMENT}"):
        locate("photos/mine.png", tmp_path)


def test_without_pooch_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataError, match="python -m pip install .pooch"):
        fetch("photos/coffee.png", tmp_path)


def test_the_command_takes_files_and_folders(server, tmp_path, capsys):
    target = str(tmp_path / "here")
    assert command.main(["depth_gt/made", "--folder", target]) == 0
    assert capsys.readouterr().out.strip().endswith(NAME)
    assert command.main(["nothing", "--folder", target]) == 1
    assert "nothing: not public" in capsys.readouterr().err
    (server / "left.png").write_bytes(b"?")
    assert command.main(["--folder", str(tmp_path / "there")]) == 1

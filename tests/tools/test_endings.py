"""An interrupted batch leaves no process, no temporary file, and a true journal."""

import signal

import pytest

pytest.importorskip("pebble", reason="needs the extra batch")
pytest.importorskip("psutil", reason="needs psutil, to find processes that stay")


def test_ctrl_c_leaves_nothing_and_the_rest_is_done_later(tool, tmp_path):
    endings = tool("measures.endings")
    source = endings.small_pictures(tmp_path / "in", 6)
    assert endings.interrupted(source, tmp_path / "out", 1) == ""


def test_what_stays_is_found(tool, tmp_path, monkeypatch):
    endings = tool("measures.endings")
    source = endings.small_pictures(tmp_path / "in", 2)
    out = tmp_path / "out"
    out.mkdir()
    (out / ".camerapipe-00-00.tmp.png").touch()
    monkeypatch.setattr(endings.sys, "executable", "/bin/true")  # it ends at once, and leaves them
    monkeypatch.setattr(endings, "_kill_session", lambda pid: ["python worker"])
    found = endings.interrupted(source, out, 1)
    assert "orphan python worker" in found and "left .camerapipe-00-00.tmp.png" in found
    assert signal.SIGINT in endings.SIGNALS


@pytest.mark.slow
def test_a_long_batch_takes_no_more_and_more(tool, tmp_path):
    endings = tool("measures.endings")
    source = endings.small_pictures(tmp_path / "in", 800)
    found = endings.soaked(source, tmp_path / "out")
    assert found.descriptors == 0 and found.mb_per_1000 < 5 and found.workers >= 2

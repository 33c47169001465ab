"""Results that are kept on disk."""

import numpy as np
import pytest

from datasets.kept import digest, kept


def test_every_part_counts(tmp_path):
    file = tmp_path / "made_by.py"
    file.write_text("one")
    plane = np.zeros((2, 3), np.float32)
    base = digest("name", 2.5, plane, file)
    assert base == digest("name", 2.5, plane.copy(), file) and len(base) == 32
    others = [
        digest("other", 2.5, plane, file),
        digest("name", 2.0, plane, file),
        digest("name", 2.5, plane.reshape(3, 2), file),
        digest("name", 2.5, plane + 1, file),
        digest("name", 2.5, plane.astype(np.float64), file),
    ]
    file.write_text("two")
    others.append(digest("name", 2.5, plane, file))
    assert len({base, *others}) == 7


def test_made_once(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return {"plane": np.arange(6.0).reshape(2, 3), "mask": np.array([True, False])}

    first, again = (kept(tmp_path / "new", "a", make) for _ in range(2))
    assert len(calls) == 1 and first.keys() == again.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])


def test_a_failure_leaves_nothing_and_a_broken_file_is_made_anew(tmp_path, monkeypatch):
    def fails():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        kept(tmp_path, "a", fails)
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", lambda *_, **__: fails())
        with pytest.raises(RuntimeError):
            kept(tmp_path, "a", lambda: {"x": np.ones(2)})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "b.npz").write_bytes(b"PK broken")
    assert kept(tmp_path, "b", lambda: {"x": np.ones(2)})["x"].sum() == 2
    assert kept(tmp_path, "b", fails)["x"].sum() == 2

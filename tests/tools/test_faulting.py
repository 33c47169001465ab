"""Outputs under faults of the disk: each is whole or absent, whatever step a fault hits."""

import pytest


@pytest.fixture(scope="module")
def shim(tool, tmp_path_factory):
    library = tool("measures.faulting").build_shim(tmp_path_factory.mktemp("shim"))
    if library is None:
        pytest.skip("faults of the disk need Linux and a C compiler")
    return library


def test_writing_survives_a_kill_or_a_full_disk_at_every_step(tool, shim, tmp_path):
    run_preloaded = tool("measures.faulting").run_preloaded
    found = run_preloaded(shim, "measures.faulting:faults_in_writing", str(tmp_path))
    assert found["trials"] >= 3 * 9  # twice: written, synchronised, named, folder synchronised
    assert found["wrong"] == []


def test_a_batch_and_its_journal_survive_them_too(tool, shim, tmp_path):
    run_preloaded = tool("measures.faulting").run_preloaded
    found = run_preloaded(shim, "measures.faulting:faults_in_a_batch", str(tmp_path), 1, 5)
    assert found["trials"] >= 3 * 8
    assert found["wrong"] == []


def test_a_torn_file_is_found(tool, tmp_path):
    torn = tool("measures.faulting").torn
    (tmp_path / "a").write_bytes(b"whole")
    (tmp_path / "b").write_bytes(b"who")
    assert torn(tmp_path, {"a": (None, b"whole"), "c": (None, b"whole")}) == ""
    assert torn(tmp_path, {"b": (None, b"whole"), "c": (b"old", b"whole")}) == "b, c"

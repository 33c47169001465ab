"""Clusters whose parts are lost: every file ends once, with the same bytes."""

import pytest

pytest.importorskip("distributed", reason="needs the extra cluster")
pytest.importorskip("psutil", reason="needs psutil, to end processes")


@pytest.fixture(scope="module")
def small(tool, tmp_path_factory):
    """Photographs, and their right pictures."""
    subject, root = tool("subjects.cluster"), tmp_path_factory.mktemp("cluster")
    source = tool("measures.endings").small_pictures(root / "in", 24)
    return source, subject.rendered(source, root / "wanted")


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss", ["a worker is killed", "the scheduler restarts", "a network is cut"]
)
def test_a_loss_costs_no_file(tool, small, tmp_path, loss):
    found = tool("subjects.cluster").survived(loss, *small, tmp_path)
    if found is None:
        pytest.skip("networks are made and cut by root only")
    assert (found.lost, found.doubled) == (0, 0)

"""Regions from runs: the same as labels of all pixels."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from stages.runs import join_runs


def runs_of(marks):
    steps = np.diff(np.pad(marks, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    (row, begin), (_, end) = np.nonzero(steps == 1), np.nonzero(steps == -1)
    return np.column_stack([row, begin, end]).astype(np.int32)


@settings(deadline=None)  # the first case compiles
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.booleans()))
def test_regions_are_those_of_labelled_pixels(marks):
    runs = runs_of(marks)
    number, boxes = join_runs(runs)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(marks.view(np.uint8), connectivity=8)
    assert len(boxes) == count - 1
    for (row, begin, _), region in zip(runs, number, strict=True):
        left, top, width, height = stats[labels[row, begin], :4]
        assert tuple(boxes[region]) == (top, left, top + height, left + width)
    pairs = {(labels[row, begin], n) for (row, begin, _), n in zip(runs, number, strict=True)}
    assert len(pairs) == count - 1


@pytest.mark.parametrize("gap", [0, 1])
def test_corners_touch(gap):
    runs = np.array([[0, 0, 2], [1, 2 + gap, 4]], np.int32)
    assert len(join_runs(runs).boxes) == 1 + gap


def test_regions_are_numbered_by_their_first_runs():
    runs = np.array([[0, 5, 6], [2, 0, 1], [2, 3, 4], [3, 0, 5]], np.int32)
    assert join_runs(runs).number.tolist() == [0, 1, 1, 1]
    assert join_runs(runs[:0]).boxes.shape == (0, 4)

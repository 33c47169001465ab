import numpy as np
import pytest

from stages.bokeh import disk


@pytest.mark.parametrize("slope", [1.0, 1.5])
def test_area_is_the_sum_of_the_weights(slope):
    radii = np.array([0.5, 0.7, 1.0, 2.31, 7.9, 31.4])
    axis = np.arange(-40, 41)
    distance = np.hypot(axis[:, None], axis[None, :])
    sums = [np.clip(slope * (r - distance) + 0.5, 0, 1).sum() for r in radii]
    np.testing.assert_allclose(disk.disk_area(radii, slope), sums, rtol=1e-12)


def test_area_table_interpolates_the_area():
    table = disk.area_table(12)
    radii = np.random.default_rng(0).uniform(0.5, 12, 500)
    positions = np.arange(table.size) / disk.TABLE_STEPS
    between = np.interp(radii, positions, table)
    np.testing.assert_allclose(between, disk.disk_area(radii), rtol=3e-3)


def test_kernel_in_focus_is_the_identity():
    kernel = disk.disk_kernel(disk.FOCUS_PX)
    assert kernel.max() == 1
    assert kernel.sum() == 1
    assert disk.effective_radius(disk.FOCUS_PX) == 0


def test_large_disks_have_their_nominal_second_moment():
    for radius in (8.0, 16.3, 40.0):
        assert disk.effective_radius(radius) == pytest.approx(radius, rel=4e-3)


def test_offsets_are_all_within_reach_nearest_first():
    reach, stride, slope = 5.5, 1000, 1.5
    offsets = disk.lattice_offsets(reach, stride, slope)
    real = offsets.distances < disk.NEVER
    assert len(real) % disk.OFFSETS_A_PASS == 0
    assert np.all(np.diff(offsets.distances) >= 0)
    steps = offsets.steps.view(np.int64)[real]
    dy = np.rint(steps / stride)
    dx = steps - dy * stride
    np.testing.assert_allclose(offsets.distances[real], slope * np.hypot(dy, dx), rtol=1e-6)
    axis = np.arange(-9, 10)
    assert real.sum() == np.count_nonzero(slope * np.hypot(axis[:, None], axis) < reach)
    assert np.all(np.isin(-steps, steps))

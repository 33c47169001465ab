import numpy as np
import pytest

from stages.bokeh import FocusParams, RadiusParams, disk_radius, local_dead_zone
from stages.grid import BlurMap, Grid

SHAPE = (160, 240)
DEFAULT = FocusParams()


def on_view(sigma, confidence, step=1):
    grid = Grid.cells(SHAPE, step)
    planes = (np.broadcast_to(np.float32(p), grid.shape).copy() for p in (sigma, confidence))
    return BlurMap(*planes, grid)


def dense(sigma):
    plane = np.broadcast_to(np.float32(sigma), SHAPE).copy()
    return BlurMap(plane, np.ones_like(plane), Grid(SHAPE))


def scene(*, step=1):
    """Crisp detail on the left, soft detail on the right, on a view of some step."""
    evidence = on_view(0.0, 1.0, step)
    half = evidence.sigma.shape[1] // 2
    evidence.sigma[:, :half], evidence.sigma[:, half:] = 0.3 * step, 1.2 * step
    return evidence, on_view(0.0, 0.0, step)


def zone_at(zone, x):
    column = np.clip((x - zone.grid.phase) / zone.grid.step, 0, zone.grid.shape[1] - 1)
    return float(zone.sigma[zone.grid.shape[0] // 2, round(column)])


def blur_with_error(crisp=0.3, largest=0.6):
    blur = dense(1.5)
    blur.sigma[:, :120] = crisp
    blur.sigma[::7, :120] = largest  # more than one in ten
    return blur


def test_the_zone_is_wide_beside_crisp_detail_and_narrow_where_all_is_soft():
    evidence, edges = scene()
    zone = local_dead_zone(evidence, edges, blur_with_error(), None, DEFAULT)
    assert zone_at(zone, 10) == pytest.approx(DEFAULT.unsure_margin * 0.6, rel=1e-3)
    assert zone_at(zone, 230) == pytest.approx(DEFAULT.sure_margin * 0.3, rel=0.05)
    across = [zone_at(zone, x) for x in range(10, 230, 4)]
    assert np.all(np.diff(across) <= 1e-6)  # regular in between
    assert np.abs(np.diff(across)).max() < 0.2


def test_where_nothing_was_measured_the_zone_is_wide():
    evidence, edges = scene()
    evidence.confidence[:, 60:] = 0
    zone = local_dead_zone(evidence, edges, blur_with_error(), None, DEFAULT)
    assert zone_at(zone, 230) == pytest.approx(DEFAULT.unsure_margin * 0.6, rel=0.02)
    edges.sigma[:, 60:], edges.confidence[:, 60:] = 1.5, 1  # edges measured as blurred
    known = local_dead_zone(evidence, edges, blur_with_error(), None, DEFAULT)
    assert zone_at(known, 230) == pytest.approx(DEFAULT.sure_margin * 0.3, rel=0.05)


def test_it_scales_with_the_step_of_the_view():
    evidence, edges = scene(step=2)
    blur = blur_with_error()
    doubled = BlurMap(2 * blur.sigma, blur.confidence, blur.grid)
    zone = local_dead_zone(evidence, edges, doubled, None, DEFAULT)
    assert zone_at(zone, 10) == pytest.approx(2 * DEFAULT.unsure_margin * 0.6, rel=0.02)


def test_a_point_decides_alone():
    evidence, edges = scene()
    blur = blur_with_error()
    blur.sigma[5, 200] = 2.0
    zone = local_dead_zone(evidence, edges, blur, (200.4, 5.2), DEFAULT)
    assert zone.sigma.size == 1
    assert zone.sigma[0, 0] == pytest.approx(DEFAULT.sure_margin * 2)


def test_without_crisp_detail_the_lowest_blur_of_the_map_counts():
    zone = local_dead_zone(on_view(1.0, 0.0), on_view(0.0, 0.0), dense(0.9), None, DEFAULT)
    assert zone.sigma[0, 0] == pytest.approx(DEFAULT.sure_margin * 0.9)
    low = local_dead_zone(on_view(1.0, 0.0), on_view(0.0, 0.0), dense(0.1), None, DEFAULT)
    assert low.sigma[0, 0] == pytest.approx(DEFAULT.blind_px)


def test_a_map_of_zones_begins_locally_and_subtracts_its_least_variance():
    sigma = np.linspace(0.2, 4, SHAPE[0] * SHAPE[1], dtype=np.float32).reshape(SHAPE)
    blur, params = BlurMap(sigma, np.ones_like(sigma), Grid(SHAPE)), RadiusParams()
    grid = Grid.cells(SHAPE, 80)
    zones = BlurMap(np.float32([[0.5, 1, 1.5]] * 2), np.ones((2, 3), np.float32), grid)
    radius = disk_radius(blur, zones, params)
    for part, zone in ((np.s_[:, :40], 0.5), (np.s_[:, 200:], 1.5)):
        in_focus = blur.sigma[part] <= zone
        assert not radius[part][in_focus].any() and radius[part][~in_focus][-1] > 0
        beyond = blur.sigma > params.focus_ramp * zone
        expected = disk_radius(blur, 0.5, params)
        whole = np.zeros(SHAPE, bool)
        whole[part] = True
        np.testing.assert_allclose(radius[whole & beyond], expected[whole & beyond], atol=1e-5)
    one = BlurMap(np.float32([[0.7]]), np.ones((1, 1), np.float32), Grid((1, 1), 240))
    expected = disk_radius(blur, 0.7, params)
    np.testing.assert_allclose(disk_radius(blur, one, params), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="radius: dead_zone must be finite"):
        disk_radius(blur, BlurMap(-zones.sigma, zones.confidence, grid), params)

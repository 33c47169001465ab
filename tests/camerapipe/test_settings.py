import pytest
from hypothesis import given
from hypothesis import strategies as st

from camerapipe.settings import Layer, SettingsError, resolve
from stages.blur import BlurParams
from stages.propagate import PropagateParams


def test_defaults():
    settings = resolve()
    assert settings.preset.name == "default"
    assert settings.params[BlurParams] == BlurParams()


def test_later_sources_override_earlier_ones(tmp_path):
    config = tmp_path / "camera.toml"
    config.write_text('preset = "paper"\n[blur]\nedge_scale_px = 1.5\nlargest_sigma_px = 5\n')
    settings = resolve(None, config, ["blur.edge_scale_px=1.75", "propagate.iterations=9"])
    assert settings.preset.name == "paper"
    blur, propagate = settings.params[BlurParams], settings.params[PropagateParams]
    assert (blur.edge_scale_px, blur.largest_sigma_px, blur.coarse_scale_px) == (1.75, 5.0, 3.0)
    assert (propagate.iterations, propagate.data_weight) == (9, 0.1)
    assert resolve("direct", config).preset.name == "direct"


def test_text_becomes_the_type_of_its_parameter():
    params = resolve(overrides=["blur.exact=off", "blur.strip_rows=64"]).params[BlurParams]
    assert params.exact is False and params.strip_rows == 64


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["blur"], "expected section.param=value"),
        (["blurr.exact=1"], "section 'blurr' does not exist; did you mean 'blur'"),
        (["octaves.x=1"], "'octaves' is a stage, and its parameters are in section 'blur'"),
        (["link.x=1"], "'link' is a stage without parameters"),
        (["blur.edge_scale=1"], "blur.edge_scale does not exist; did you mean 'edge_scale_px'"),
        (["blur.edge_scale_px=wide"], r"blur.edge_scale_px: expected float in 0.3..8.0 px; got 'w"),
        (["blur.edge_scale_px=99"], r"blur.edge_scale_px: expected float in 0.3..8.0 px; got 99"),
        (["blur.exact=maybe"], "blur.exact: expected bool; got 'maybe'"),
    ],
)
def test_mistakes_are_explained(overrides, message):
    with pytest.raises(SettingsError, match=message):
        resolve(overrides=overrides)


def test_mistakes_in_a_file_name_it(tmp_path):
    config = tmp_path / "camera.toml"
    config.write_text("blur = 3\n")
    with pytest.raises(SettingsError, match=r"camera\.toml: blur is a section: expected a table"):
        resolve(config=config)
    config.write_text("[blur\n")
    with pytest.raises(SettingsError, match=r"camera\.toml: is not TOML"):
        resolve(config=config)
    with pytest.raises(SettingsError, match="cannot be read"):
        resolve(config=tmp_path / "absent.toml")
    with pytest.raises(SettingsError, match="preset 'papre' does not exist; did you mean 'paper'"):
        resolve("papre")


def test_a_rung_changes_only_what_nobody_set(tmp_path):
    config = tmp_path / "camera.toml"
    config.write_text("[propagate]\nbound_updates = 2\n")
    settings = resolve(config=config, overrides=["propagate.iterations=40"])  # the default's value
    rung = {"propagate": {"iterations": 3, "bound_updates": 1, "data_weight": 0.7}}
    on_rung = settings.with_layer(Layer.RUNG, rung, "good")
    params = on_rung.params[PropagateParams]
    assert (params.iterations, params.bound_updates, params.data_weight) == (40, 2, 0.7)
    assert settings.params[PropagateParams].data_weight == PropagateParams().data_weight


def test_a_layer_that_is_put_in_is_checked():
    for changes, told in (
        ({"moon": {}}, "section 'moon' does not exist"),
        ({"radius": {"strenght": 2.0}}, "radius.strenght does not exist; did you mean 'strength'"),
        ({"radius": {"strength": 99.0}}, "radius.strength"),
    ):
        with pytest.raises(SettingsError, match=told):
            resolve().with_layer(Layer.RUNG, changes, "mine")


def test_every_value_knows_who_set_it(tmp_path):
    config = tmp_path / "camera.toml"
    config.write_text("[radius]\nstrength = 3.0\n")
    recipe = "mine.toml", {"bokeh": {"blades": 6}}
    settings = resolve("paper", config, ["propagate.iterations=9"], recipe=recipe)
    settings = settings.with_layer(Layer.CAPTURE, {"finish": {"dither": False}}, "16-bit display")
    found = settings.origins()
    assert found["laplacian"]["window_radius"] == (3, Layer.PRESET, "paper")
    assert found["finish"]["dither"] == (False, Layer.CAPTURE, "16-bit display")
    assert found["radius"]["strength"] == (3.0, Layer.FILE, str(config))
    assert found["bokeh"]["blades"] == (6, Layer.RECIPE, "mine.toml")
    assert found["propagate"]["iterations"] == (9, Layer.PERSON, "")
    assert found["blur"]["pool_px"] == (BlurParams().pool_px, Layer.DEFAULT, "")
    assert settings.changed(Layer.FILE, Layer.PERSON) == {
        "radius": {"strength": 3.0}, "propagate": {"iterations": 9}
    }  # fmt: skip


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Layer)[1:]), st.integers(1, 99)), unique_by=lambda x: x[0]
    )
)
def test_the_highest_layer_counts_in_whatever_order_they_come(changes):
    settings = resolve()
    for layer, value in changes:
        settings = settings.with_layer(layer, {"propagate": {"iterations": value}})
    expected = max(changes, default=(Layer.DEFAULT, PropagateParams().iterations))[1]
    assert settings.params[PropagateParams].iterations == expected


def test_a_settings_file_may_begin_with_a_byte_order_mark(tmp_path):
    config = tmp_path / "camera.toml"
    config.write_bytes("[blur]\npool_px = 3.0\n".encode("utf-8-sig"))
    assert resolve(config=config).params[BlurParams].pool_px == 3.0

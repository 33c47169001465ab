import pytest

from camerapipe.settings import SettingsError, resolve
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
        (["blur"], "expected stage.param=value"),
        (["blurr.exact=1"], "stage 'blurr' does not exist; did you mean 'blur'"),
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
    with pytest.raises(SettingsError, match=r"camera\.toml: blur is a stage: expected a table"):
        resolve(config=config)
    config.write_text("[blur\n")
    with pytest.raises(SettingsError, match=r"camera\.toml: is not TOML"):
        resolve(config=config)
    with pytest.raises(SettingsError, match="cannot be read"):
        resolve(config=tmp_path / "absent.toml")
    with pytest.raises(SettingsError, match="preset 'papre' does not exist; did you mean 'paper'"):
        resolve("papre")

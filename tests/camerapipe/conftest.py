"""What tests of the command line share."""

import cv2
import numpy as np
import pytest

from camerapipe.cli import main


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A small picture with a sharp middle and a blurred surround, as a JPEG."""
    rng = np.random.default_rng(5)
    small = rng.integers(20, 236, (20, 30, 3)).astype(np.uint8)
    sharp = cv2.resize(small, (360, 240), interpolation=cv2.INTER_NEAREST)
    picture = cv2.GaussianBlur(sharp, (0, 0), 3.5)
    picture[70:170, 110:250] = sharp[70:170, 110:250]
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return path


@pytest.fixture
def run(capfd):
    """Call the command line; give exit code, stdout, stderr."""

    def call(*args):
        with pytest.raises(SystemExit) as left:
            main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return left.value.code, out, err

    return call

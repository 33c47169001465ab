"""Pictures of files: the right one of several, transparency, DNG, and damaged files."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import rawpy

import camerapipe
from camerapipe.errors import CaptureError
from camerapipe.ingest import open_capture
from datasets import case_files, depth_files
from datasets.gain_map_files import plain_jpeg
from measures.file_cases import (
    MAX_CODES,
    RNG_SEED,
    SHAPE,
    Floats,
    Found,
    Outcome,
    decoded,
    off_by,
    opened,
    rendered,
    smooth,
)

MAX_DNG_ERROR = 1 / 4095  # of linear light, of lossless files
MAX_LOSSY_ERROR = 2 / 255 / 0.5  # two codes of eight linear bits, times the gain of red
MAX_LIBRAW_ERROR = 0.01
DNG_PATCH_PX = 16
WISHED_F_NUMBER = 0.05  # so small a picture needs a lens so wide
MAX_SIGMA_PX, MAX_SIGMA_8_BITS_PX = 0.01, 0.1


def pictures(folder: Path) -> Found:
    """The full picture of a file that holds others; transparency; the crop of a DNG."""
    rng = np.random.default_rng(RNG_SEED)
    codes = rng.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    outcomes = []
    for name, data in case_files.hidden_picture_files(codes).items():
        rendered(opened(folder, name, data), folder / "out.png", bits=8)
        same = np.array_equal(decoded((folder / "out.png").read_bytes()), codes)
        outcomes.append(Outcome("which picture", name, "" if same else "another picture"))
    alpha = np.zeros(SHAPE, np.uint8)
    alpha[8:-5, 10:-7] = 255
    grey = np.full((*SHAPE, 3), 118, np.uint8)
    path = opened(folder, "transparent.png", case_files.transparent_file(grey, alpha))
    for suffix, outside in (("png", 118), ("jpg", 255)):
        rendered(path, folder / f"out.{suffix}")
        found = decoded((folder / f"out.{suffix}").read_bytes())[..., :3].astype(int)
        errors = np.abs(found - np.where(alpha[..., None] > 0, 118, outside))
        inner = errors[
            np.minimum.reduce([np.roll(alpha, s, a) for s in (-8, 8) for a in (0, 1)]) > 0
        ]
        corner = errors[0, 0]
        wrong = off_by(np.concatenate([inner.ravel(), corner]), MAX_CODES)
        outcomes.append(Outcome("which picture", f"transparent.{suffix}", wrong))
    keyed = np.arange(SHAPE[0] * SHAPE[1], dtype=np.uint16).reshape(SHAPE) * 17
    path = opened(folder, "keyed.png", case_files.keyed_file(keyed, int(keyed[5, 5])))
    opacity = open_capture(path).alpha
    right = opacity is not None and np.array_equal(opacity == 0, keyed == keyed[5, 5])
    outcomes.append(Outcome("which picture", "keyed.png", "" if right else "transparency lost"))
    flat = np.full((64, 64, 3), 0.2)
    dng = open_capture(opened(folder, "cropped.dng", case_files.cropped_dng(flat)))
    inner = dng.linear[2:-2, 2:-2]  # demosaicing reads the neighbours of a pixel
    clean = dng.linear.shape == flat.shape and np.ptp(inner) < 0.01
    outcomes.append(Outcome("which picture", "cropped.dng", "" if clean else "its border is shown"))
    return Found(outcomes)


def dngs(folder: Path) -> Found:
    """Patches of DNG files: JPEG XL, interleaved, lossy, with gain maps; and beside LibRaw."""
    if importlib.util.find_spec("imagecodecs") is None:
        return Found([], missing=("imagecodecs, for DNG files of phones",))
    patches = np.random.default_rng(RNG_SEED).uniform(0.02, 0.5, (3, 4, 3))
    picture = np.kron(patches, np.ones((DNG_PATCH_PX, DNG_PATCH_PX, 1)))
    outcomes, worst = [], 0.0
    for name, (data, is_exact) in case_files.dng_files(picture).items():
        capture = open_capture(opened(folder, name, data))
        found = _cells(capture.linear / capture.exposure_gain)
        error = float(np.abs(found - patches).max())
        worst = max(worst, error) if is_exact else worst
        limit = MAX_DNG_ERROR if is_exact else MAX_LOSSY_ERROR
        outcomes.append(Outcome("DNG", name, off_by(np.array([error]), limit, "of white")))
        if name == case_files.UNIT_GAIN:
            theirs = _cells(_by_libraw(case_files.dng_files(picture)[case_files.PLAIN][0]))
            error = float(np.abs(found / theirs - 1).max())
            wrong = off_by(np.array([error]), MAX_LIBRAW_ERROR, "of LibRaw's")
            outcomes.append(Outcome("DNG", f"{name}, beside LibRaw", wrong))
    return Found(outcomes, dng_error=worst)


def _cells(linear: Floats) -> Floats:
    """Means of the patches, away from their edges."""
    rows, cols = (side // DNG_PATCH_PX for side in linear.shape[:2])
    cells = linear.reshape(rows, DNG_PATCH_PX, cols, DNG_PATCH_PX, 3)
    inner = slice(DNG_PATCH_PX // 4, -DNG_PATCH_PX // 4)
    return np.asarray(cells[:, inner, :, inner].mean((1, 3)))


def _by_libraw(data: bytes) -> Floats:
    """LibRaw's linear light."""
    with rawpy.imread(io.BytesIO(data)) as raw:
        codes = raw.postprocess(
            output_bps=16, gamma=(1, 1), no_auto_bright=True, use_camera_wb=True,
            adjust_maximum_thr=0,
        )  # fmt: skip
    return np.asarray(codes / 65535)


def depths(folder: Path) -> Found:
    """Signed sigma of a wished lens, from depth in every container, against the scene's own."""
    scene = depth_files.depth_scene((120, 160))
    right = scene.sigma_px(WISHED_F_NUMBER)
    files = {  # with each, the largest error that is right, px
        "GDepth.jpg": (depth_files.gdepth_jpeg(scene), MAX_SIGMA_PX),
        "GDepth in one packet.jpg": (
            depth_files.gdepth_jpeg(scene, extended=False), MAX_SIGMA_PX,
        ),
        "GDepth in mm.jpg": (depth_files.gdepth_jpeg(scene, units="mm"), MAX_SIGMA_PX),
        "GDepth, linear.jpg": (depth_files.gdepth_jpeg(scene, inverse=False), MAX_SIGMA_PX),
        "Dynamic Depth.jpg": (depth_files.dynamic_depth_jpeg(scene), MAX_SIGMA_PX),
        "Apple, 8 bits.jpg": (depth_files.apple_jpeg(scene), MAX_SIGMA_8_BITS_PX),
    }  # fmt: skip
    outcomes, worst = [], 0.0
    for name, (data, limit) in files.items():
        cells = camerapipe.render(
            opened(folder, name, data), from_depth="embedded", aperture=WISHED_F_NUMBER,
            focus=depth_files.FOCUS_M, force=True, keep=("wished_cells",),
        ).kept["wished_cells"]  # fmt: skip
        step = right.shape[0] // cells.sigma.shape[0]
        error = float(np.abs(cells.sigma - right[::step, ::step]).max())
        worst = max(worst, error) if limit == MAX_SIGMA_PX else worst
        outcomes.append(Outcome("depth", name, off_by(np.array([error]), limit, "px")))
    return Found(outcomes, depth_sigma_px=worst)


def damaged(folder: Path) -> Found:
    """Refused with one line, or read with the finding that belongs to it."""
    rng = np.random.default_rng(RNG_SEED)
    codes, gains = smooth(rng, *SHAPE, 3), smooth(rng, *SHAPE)
    outcomes = []
    for name, data in case_files.damaged_files(codes).items():
        path = opened(folder, name, data)
        try:
            open_capture(path)
            wrong = "read"
        except CaptureError as error:
            wrong = "" if "\n" not in str(error) and path.name in str(error) else "not one line"
        outcomes.append(Outcome("damaged", name, wrong))
    right = decoded(plain_jpeg(codes))
    for name, (data, code) in case_files.doubtful_files(codes, gains).items():
        capture = rendered(opened(folder, name, data), folder / "out.png", bits=8)
        same = np.array_equal(decoded((folder / "out.png").read_bytes()), right)
        told = [each.code for each in capture.findings] == ([code] if code else [])
        wrong = "" if same else "another picture"
        outcomes.append(Outcome("damaged", name, wrong or ("" if told else "told otherwise")))
    return Found(outcomes)

"""What scripts and apps call for photographs: `camerapipe.render` and `check`.

For streams it is `camerapipe.open_stream` (`stream.opening`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from camerapipe.arguments import focus_of, names_of, workers_of
from camerapipe.assembly import Request, shape_of, with_depth
from camerapipe.budget import Budget, BudgetLike
from camerapipe.camera import Input, MapLike, check_capture, given_map, open_input, shoot
from camerapipe.depth import DepthLike
from camerapipe.ingest import DEFAULT_MAX_PIXELS
from camerapipe.masks import MaskLike, given_mask, read_foreground, read_subject
from camerapipe.protecting import rectangle_of
from camerapipe.recipe import Recipe, as_recipe, resolve_with, with_recipe
from camerapipe.recipe_keys import ScribblesLike, given_scribbles
from camerapipe.segmentation import SegmentationModel
from camerapipe.settings import resolve, with_values
from camerapipe.shot import Shot
from stages.findings import Finding
from stages.protection import Protection
from stages.strips import limited_workers


def render(
    source: Input,
    *,
    strength: float | None = None,
    budget: BudgetLike = None,
    preset: str | None = None,
    look: str | None = None,
    config: str | os.PathLike[str] | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    focus: tuple[float, float] | float | None = None,
    from_map: MapLike | None = None,
    scribbles: ScribblesLike = (),
    from_depth: DepthLike | None = None,
    guide_depth: DepthLike | None = None,
    aperture: float | None = None,
    foreground: MaskLike | None = None,
    protect: MaskLike | None = None,
    subject: tuple[float, float, float, float] | None = None,
    protect_model: SegmentationModel | str | os.PathLike[str] | None = None,
    recipe: Recipe | str | os.PathLike[str] | None = None,
    distance_m: float | None = None,
    force: bool = False,
    encoding: Literal["srgb", "linear"] = "srgb",
    keep: Iterable[str] = (),
    max_pixels: int = DEFAULT_MAX_PIXELS,
    workers: int | None = None,
) -> Shot:
    """Turn one capture into a shallow depth-of-field picture.

    Parameters
    ----------
    source : path, array or Capture
        A file, or an array HxW or HxWx3 of sRGB (`encoding="srgb"`) or linear (`"linear"`) values.
    strength : float, optional
        Magnification of the defocus, 1 (none) to 8; short for `params={"radius": {"strength": m}}`.
    budget : float, str, sequence of str or Budget, optional
        Time from developed pixels to the finished picture. A number is in seconds. Texts are
        `"2s"`, or `["2s", "propagate=300ms"]`.
    preset : str, optional
        `default`, `paper` or `direct`.
    look : str, optional
        Of the preset `default`: `lens`, faithful to a wider lens, or `portrait`, which holds the
        subject sharp.
    config : path, optional
        A TOML settings file.
    params : mapping, optional
        Parameters by section: `{"blur": {"edge_scale_px": 2.0}}`.
    focus : (x, y) or float, optional
        A point that is to count as in focus, in pixels of the upright picture; a distance in metres
        with a depth map that is in metres.
    from_map : path, BlurMap or array, optional
        Render with this map (a file, or HxW, sigma in full-resolution pixels; NaN in an array: no
        data) instead of an estimate. A sparse map is spread over the picture.
    scribbles : path or iterable of Scribble
        Corrections of the blur map, in the order in which they were drawn; a file is JSON.
    from_depth : path, array or DepthMap, optional
        Render the blur of a wished lens from depth: that of a file, `"embedded"` for that in the
        file of the capture, or an array of distances in metres (hxw, NaN: unknown). What the
        picture is blurred already counts as part of it.
    guide_depth : path, array or DepthMap, optional
        Magnify the measured blur as usual; its order and what is in front come from this depth (an
        array is HxW, as for `from_depth`).
    aperture : float, optional
        F-number of the wished lens, for `from_depth` in metres; short for
        `params={"depth": {"aperture": f}}`. Without it: that of the capture / strength. If the
        depth or the lens has no unit, `strength` is needed.
    foreground : path or array, optional
        Mask of what is nearer than the focus, which is rendered in front: a grey picture, white
        there, or an array HxW, not 0 there.
    protect : path or array, optional
        Mask of what is to stay sharp (a grey picture, or HxW). Its outline is not used: that comes
        from the picture. Scribbles override it.
    subject : (x, y, width, height), optional
        A rectangle around what is to stay sharp, in pixels of the upright picture. What the picture
        shows blurred in it is taken for background.
    protect_model : SegmentationModel or path, optional
        An ONNX or TFLite model whose mask is to stay sharp, except where the picture is blurred.
    recipe : Recipe or path, optional
        Preset, parameters and corrections to start from; what is given beside it overrides it, and
        scribbles are drawn after those of the recipe.
    distance_m : float, optional
        Distance of the subject, for the check of the optics.
    force : bool
        Go on after a blocking finding.
    encoding : str
        Of an array: `srgb` or `linear`.
    keep : iterable of str
        Names of intermediate values to keep in `Shot.kept` (see `camerapipe graph`).
    max_pixels : int
        Refuse a larger file before decoding it.
    workers : int, optional
        Threads that compute; the default is the number of available cores. The picture does not
        depend on it.

    Returns
    -------
    Shot
        Picture, blur map, findings, report. After a blocking finding the picture is untouched and
        the blur map None.

    Raises
    ------
    CaptureError
        A file cannot be read, or the model cannot be used.
    ValueError
        A parameter is wrong; the message names it.
    """
    threads, recipe = workers_of(workers), as_recipe(recipe)
    if isinstance(protect_model, str | os.PathLike):
        protect_model = SegmentationModel(path=Path(protect_model))
    capture, opening = open_input(source, encoding=encoding, max_pixels=max_pixels)
    shape = shape_of(capture)
    point, distance = focus_of(focus)
    depth = {"aperture": aperture, "focus_m": distance}
    given = {name: value for name, value in depth.items() if value is not None}
    values = with_values(params, "depth", given)
    settings = resolve_with(recipe, preset, config, values=values, strength=strength, look=look)
    request = Request(
        settings=settings,
        budget=Budget.of(budget),
        focus_point=point,
        distance_m=distance_m,
        scribbles=given_scribbles(scribbles),
        foreground=given_mask("foreground", foreground, shape, read_foreground),
        blur_map=None if from_map is None else given_map(from_map, capture),
        protection=Protection(
            given_mask("protect", protect, shape, read_subject),
            None if subject is None else rectangle_of("subject", subject),
            None if protect_model is None else protect_model.mask_of(capture.linear),
        ),
        force=force,
        keep=names_of("keep", keep),
    )
    request = with_depth(request, capture, from_depth, guide_depth)
    if recipe is not None:
        request = with_recipe(request, recipe, capture)
    with limited_workers(threads):
        return shoot(capture, request, before=opening)


def check(
    source: Input,
    *,
    distance_m: float | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    encoding: Literal["srgb", "linear"] = "srgb",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    workers: int | None = None,
) -> tuple[Finding, ...]:
    """Check whether a capture has defocus to magnify.

    Parameters
    ----------
    source, distance_m, params, encoding, max_pixels, workers
        As in `render`.

    Returns
    -------
    tuple of Finding
        The first is the verdict.

    Raises
    ------
    CaptureError, ValueError
        As `render`.
    """
    threads = workers_of(workers)
    capture, _ = open_input(source, encoding=encoding, max_pixels=max_pixels)
    request = Request(settings=resolve(values=params), distance_m=distance_m)
    with limited_workers(threads):
        return check_capture(capture, request)

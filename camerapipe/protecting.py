"""What a person asks to be kept sharp: a mask, a rectangle and a model, as files and numbers.

Recipes and jobs hold a `ProtectionRequest`. With a capture it becomes the `Protection` that the
graphs take.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from camerapipe.errors import RequestError
from camerapipe.masks import read_subject
from camerapipe.segmentation import SegmentationModel
from stages.findings import Finding, Severity
from stages.params import Array
from stages.protection import INSIDE, Protection, ProtectionParams, Rectangle, Weighed

CONTRADICTED = "protection_contradicted"  # code of a finding
REPORTED_SHARE = 0.1  # contradicted share of a source, from which it is reported


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionRequest:
    """What is to stay sharp, before the picture is known.

    Parameters
    ----------
    mask : Path or None
        A grey picture, white inside.
    subject : Rectangle or None
        Around the subject, px.
    model : SegmentationModel or None
        A model of the person.
    """

    mask: Path | None = None
    subject: Rectangle | None = None
    model: SegmentationModel | None = None

    def paths(self) -> tuple[Path, ...]:
        """Files that are read."""
        model = self.model.path if self.model else None
        return tuple(path for path in (self.mask, model) if path is not None)

    def complete(self, own: Protection, linear: Array) -> Protection:
        """A protection, with what it lacks from the request; `CaptureError` for unusable files."""
        mask, model = own.mask, own.model
        if mask is None and self.mask is not None:
            mask = read_subject(self.mask, (linear.shape[0], linear.shape[1]))
        if model is None and self.model is not None:
            model = self.model.mask_of(linear)
        return Protection(mask, own.rectangle or self.subject, model)

    def over(self, other: ProtectionRequest) -> ProtectionRequest:
        """The request, with what it lacks from another one."""
        return ProtectionRequest(
            mask=self.mask or other.mask,
            subject=self.subject or other.subject,
            model=self.model or other.model,
        )

    def to_table(self, folder: str | os.PathLike[str]) -> dict[str, Any]:
        """Keys and plain values as a recipe in this folder has them."""
        table: dict[str, Any] = {}
        if self.mask is not None:
            table["protect"] = relative_path(self.mask, folder)
        if self.subject is not None:
            table["subject"] = [float(number) for number in self.subject]
        if self.model is not None:
            plain = asdict(self.model) | {"path": relative_path(self.model.path, folder)}
            table["protect_model"] = {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in plain.items()
                if value is not None
            }
        return table

    def scaled(self, scales: tuple[float, float]) -> ProtectionRequest:
        """The request for the picture in another size; `scales` is (along x, along y)."""
        return replace(self, subject=scaled_rectangle(self.subject, scales))


def scaled_rectangle(rectangle: Rectangle | None, scales: tuple[float, float]) -> Rectangle | None:
    """A rectangle on the same picture in another size; the edges of both pictures coincide."""
    if rectangle is None:
        return None
    (x, y, width, height), (across, down) = rectangle, scales
    return Rectangle(
        (x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5, width * across, height * down
    )


def scaled_protection(
    protection: Protection, scales: tuple[float, float], to: tuple[int, int]
) -> Protection:
    """A protection for the picture in another size, of shape `to`."""
    mask, model = (
        None
        if plane is None
        else np.asarray(cv2.resize(plane, to[::-1], interpolation=cv2.INTER_AREA), np.float32)
        for plane in (protection.mask, protection.model)
    )
    return Protection(mask, scaled_rectangle(protection.rectangle, scales), model)


def check_protection(protection: Protection, shape: tuple[int, int]) -> None:
    """Check that a protection fits a picture of this shape.

    Raises
    ------
    RequestError
        If it does not; the message names the option.
    """
    height, width = shape
    mask = protection.mask
    if mask is not None:
        if mask.shape != shape:
            raise RequestError(f"protect: expected a mask of shape {shape}; got {mask.shape}")
        if not (mask > INSIDE).any():
            raise RequestError("protect: the mask is empty; mark what is to stay sharp")
    if protection.rectangle is not None:
        x, y, across, down = protection.rectangle
        inside = x >= -0.5 and y >= -0.5 and x + across <= width + 0.5 and y + down <= height + 0.5
        if not (inside and across > 0 and down > 0):
            reasons = (
                f"; {at:g} + {size:g} exceeds the {side} {limit}"
                for at, size, side, limit in (
                    (x, across, "width", width), (y, down, "height", height),
                )
                if at + size > limit + 0.5
            )  # fmt: skip
            raise RequestError(
                f"subject: expected X,Y,W,H within {width}x{height} pixels; "
                f"got {x:g},{y:g},{across:g},{down:g}{''.join(reasons)}"
            )


def protection_findings(weighed: Weighed | None, params: ProtectionParams) -> tuple[Finding, ...]:
    """Warnings about sources that the measured blur contradicts."""
    if weighed is None:
        return ()
    return tuple(
        Finding(
            CONTRADICTED,
            Severity.WARNING,
            _said(
                each.source, each.share, each.sigma_px, refused=each.share > params.refused_share
            ),
            each.share,
            REPORTED_SHARE,
        )
        for each in weighed.contradictions
        if each.share > REPORTED_SHARE
    )


def _said(source: str, share: float, sigma_px: float, *, refused: bool) -> str:
    """What a contradiction means, in a sentence."""
    what = f"the picture is blurred on {100 * share:.0f} % of it (sigma {sigma_px:.1f} px)"
    if source == "mask":
        return f"The mask of what is to stay sharp: {what}. It is kept sharp, as the mask says."
    if source == "rectangle":
        return f"The rectangle around the subject: {what}. That part is taken for background."
    if refused:
        return f"The model's mask is not used: {what}."
    return f"The model's mask: {what}. It is not used there."


def rectangle_of(place: str, values: Iterable[Any]) -> Rectangle:
    """A rectangle from four numbers; `RequestError` if they are none."""
    found = list(values)
    try:
        numbers = [float(value) for value in found]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 4 or not np.isfinite(numbers).all() or min(numbers[2:]) <= 0:
        raise RequestError(
            f"{place}: expected X,Y,W,H in pixels, with a width and height above 0; got {found}"
        )
    return Rectangle(*numbers)


def relative_path(path: Path, folder: str | os.PathLike[str]) -> str:
    """A path as it is written into a file of this folder."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return path.absolute().as_posix()

"""Thresholds of the capture check."""

from __future__ import annotations

from dataclasses import dataclass

from stages.capture_check.detail import DIRECTIONS, DetailLoss
from stages.params import Params, param

# Times the contrast that shake needs: in the second pass, if the view has lost all detail; and
# wherever all detail is lost.
WITHOUT_VIEW, UNSURE = 1.15, 1.45
TOUCHED = 0.85  # times the loss that shake needs in one direction
REMAINS = 0.5  # times the limit of a long track, in the second pass, if the view exceeds it


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckParams(Params):
    """Thresholds of the capture check; blur is sigma in pixels of the 1280-px view."""

    view_side_px: int = param(
        1280, 320, 4096, unit="px", help="long side of the view; sigma is in pixels of it"
    )
    coarse_side_px: int = param(320, 80, 1024, unit="px", help="long side of the second pass")
    least_signal: float = param(
        20.0, 1.0, help="99th percentile of luma over noise; below: too dark or noisy"
    )
    least_edges: int = param(3000, 1, help="edge pixels per megapixel; below: too few edges")
    least_cover: float = param(0.12, 0.0, 1.0, help="share of areas with edges; below: too few")
    sharp_sigma_px: float = param(
        1.9, 0.1, 8.0, unit="px", help="sigma of the sharpest areas; above: nothing is sharp"
    )
    unsharp_loss_db: float = param(
        26.0, 0.0, 60.0, unit="dB",
        help="loss of fine detail in all directions, where it is least; above: nothing is sharp. "
        "Pictures with something sharp have 2 to 25, those blurred by 2 px 27 to 45",
    )  # fmt: skip
    shaken_loss_db: float = param(
        25.5, 0.0, 60.0, unit="dB", help="loss of fine detail in one direction; above, and with "
        "shaken_contrast_db: shaken",
    )  # fmt: skip
    shaken_contrast_db: float = param(
        8.4, 0.0, 60.0, unit="dB", help="contrast of that loss over direction; above: shaken"
    )
    long_track_db: float = param(
        6.0, 0.0, 60.0, unit="dB",
        help="loss at right angles to the direction that lost least, over the loss there; above: "
        "shaken along a long track",
    )  # fmt: skip
    least_directions: int = param(
        8, 1, DIRECTIONS, help="directions with structure, of 12, below which shake is not judged, "
        "and only strong blur is defocus",
    )  # fmt: skip
    soft_share: float = param(
        0.05, 0.0, 1.0,
        help="share of blocks without fine detail; below: nothing is blurred, whatever edges show",
    )  # fmt: skip
    present_sigma_px: float = param(
        1.85, 0.1, 8.0, unit="px", help="sigma of the most blurred areas; above: defocus is present"
    )
    present_share: float = param(
        0.115, 0.0, 1.0, help="share of areas blurred by > 1.8 px; above: defocus is present"
    )
    coarse_share: float = param(
        0.20,
        0.0,
        1.0,
        help="share of areas blurred by > 2.2 px in the second pass; from this on: present",
    )
    weak_sigma_px: float = param(
        1.30, 0.1, 8.0, unit="px", help="as present_sigma_px, for weak defocus"
    )
    weak_share: float = param(0.05, 0.0, 1.0, help="as present_share, for weak defocus")
    least_lights: int = param(
        5, 1, 1000, help="round clipped lights of one size from which on defocus is present"
    )
    light_radius_px: float = param(
        5.0, 1.0, 100.0, unit="px", help="radius of such lights, in pixels of the working view"
    )
    wanted_blur_px: float = param(
        4.0, 0.5, unit="px", help="diameter of background blur, in the view, that magnifies well"
    )

    def lacks_detail(self, loss: DetailLoss) -> bool:
        """Whether fine detail is lost in all directions."""
        return loss.overall > self.unsharp_loss_db

    def lacks_a_direction(self, loss: DetailLoss, certainty: float = 1.0) -> bool:
        """Whether fine detail is lost in one direction more than in others."""
        return self._is_lost(loss) and loss.contrast > certainty * self.shaken_contrast_db

    def spares_a_direction(self, loss: DetailLoss) -> bool:
        """Whether fine detail is kept in one direction only, as by a long track."""
        return self._is_lost(loss) and loss.across > self.long_track_db

    def shaken_loss(self, detail: DetailLoss, coarse: DetailLoss) -> DetailLoss | None:
        """The loss that shows camera shake: of the view or of the second pass; None: no shake.

        Where all fine detail is lost, noise and blur have some contrast as well: that of a track
        must be larger, and the direction that is spared says nothing. A track that is seen in the
        second pass takes detail of the view, too. A long track that is seen in the view remains in
        the second pass, while the detail that an unsharp picture has left may have one direction.
        """
        in_view = beyond = 1.0
        lost, coarse_lost = self.lacks_detail(detail), self.lacks_detail(coarse)
        if lost:
            in_view, beyond = UNSURE, UNSURE if coarse_lost else WITHOUT_VIEW
        comparable = not (lost or coarse_lost)
        remains = comparable and coarse.across > REMAINS * self.long_track_db
        if self.lacks_a_direction(detail, in_view) or remains and self.spares_a_direction(detail):
            return detail
        long_track = comparable and self.spares_a_direction(coarse)
        touched = detail.most > TOUCHED * self.shaken_loss_db
        shaken = touched and (long_track or self.lacks_a_direction(coarse, beyond))
        return coarse if shaken else None

    def _is_lost(self, loss: DetailLoss) -> bool:
        """Whether fine detail is lost in at least one of enough directions."""
        return loss.directions >= self.least_directions and loss.most > self.shaken_loss_db

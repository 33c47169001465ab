"""Data that the XMP of a picture announces, but that are not copied to the output.

A gain map, a depth map or a film belongs to the old pixels, or follows them in the file. If the
output announced data that it does not have, readers would fail or show a wrong picture.
"""

from __future__ import annotations

from collections.abc import Container

from camerapipe.ingest.xmp import NOTE, XMP, BrokenXmpError, Name, properties, values_of
from stages.findings import Finding, Severity

GOOGLE = "http://ns.google.com/photos/"
CAMERA = f"{GOOGLE}1.0/camera/"
BLUR = "http://ns.camerapipe.org/blur-map/1.0/"  # our own namespace (`map_jpeg`)
CONTAINER, ITEM = f"{GOOGLE}1.0/container/", f"{GOOGLE}1.0/container/item/"
GAIN_MAP, EMBEDDED, DEPTH = "gain map", "embedded files", "depth map"
SPACES = {  # beginnings of namespaces, and what they announce
    "http://ns.adobe.com/hdr-gain-map/": GAIN_MAP,
    "http://ns.apple.com/HDRGainMap/": GAIN_MAP,
    "http://ns.apple.com/pixeldatainfo/": DEPTH,
    "http://ns.apple.com/depthData/": DEPTH,
    f"{GOOGLE}1.0/depthmap/": DEPTH,
    f"{GOOGLE}1.0/focus/": DEPTH,
    f"{GOOGLE}dd/1.0/": DEPTH,
    f"{GOOGLE}1.0/image/": "embedded original",
    f"{GOOGLE}1.0/audio/": "sound",
    CONTAINER: EMBEDDED,
    BLUR: "blur map",
}
CAMERA_NAMES = {"MotionPhoto": "motion photo", "MicroVideo": "motion photo"}
NAMES = {
    Name(NOTE, "HasExtendedXMP"): "extended XMP",
    Name(XMP, "Thumbnails"): "thumbnail",
}
SILENT = {"thumbnail"}  # no finding, since readers make their own


def is_announcement(name: Name) -> bool:
    """Whether a property announces data that are not copied."""
    return _announced(name) is not None


def announcements(packet: bytes | None, known: Container[str] = ()) -> tuple[Finding, ...]:
    """A finding that names what a packet announces, but for what is known already."""
    try:
        found = {_announced(name) for name in properties(packet)} if packet else set()
        items = set(values_of(packet, ITEM).get("Semantic", ())) if packet else set()
        if items and items <= {"Primary", "GainMap"}:  # listed files that are told as a gain map
            found -= {EMBEDDED}
    except BrokenXmpError:
        message = "The metadata (XMP) are damaged: they are left out of the picture."
        return (Finding("xmp_damaged", Severity.INFO, message),)
    things = sorted(each for each in found if each and each not in SILENT and each not in known)
    if not things:
        return ()
    message = f"The file also holds: {', '.join(things)}. A rendered picture leaves it out."
    if DEPTH in things:
        message += " Depth can be rendered from: --from-depth embedded."
    return (Finding("extras_left_out", Severity.INFO, message),)


def _announced(name: Name) -> str | None:
    if name in NAMES:
        return NAMES[name]
    if name.space == CAMERA:
        starts = (thing for start, thing in CAMERA_NAMES.items() if name.local.startswith(start))
        return next(starts, None)
    spaces = (thing for start, thing in SPACES.items() if name.space.startswith(start))
    return next(spaces, None)

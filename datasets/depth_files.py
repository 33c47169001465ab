"""Photographs with depth in every container that cameras write, and the truth about their blur.

The scene is a wall, a subject and something in front of it, seen through a lens that is known. The
truth follows from the conjugate distances of the lens, not from the formula that is tested.
Containers are written here from their specifications, independent of the code that reads them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import struct
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

Floats = npt.NDArray[np.float64]

FOCAL_MM, F_NUMBER, FOCAL_35MM = 5.7, 1.5, 26.0  # of a phone
FULL_FRAME_DIAGONAL_MM = 43.267
FOCUS_M = 0.8
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
RDF = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}</rdf:RDF></x:xmpmeta>'
)
DD = "http://ns.google.com/photos/dd/1.0"


@dataclass(frozen=True)
class DepthScene:
    """A picture (HxWx3 uint8, sharp), its depth in m (HxW), and a point (x, y) of the subject."""

    picture: npt.NDArray[np.uint8]
    depth_m: Floats
    subject: tuple[int, int]

    def sigma_px(self, f_number: float, focus_m: float = FOCUS_M) -> Floats:
        """Signed sigma of the blur through the lens of the scene with another aperture, px.

        A point at z is imaged sharply at the distance v behind the lens, 1/v = 1/f - 1/z, and the
        sensor is at v_s. The cone of light from an aperture of diameter f / N has the diameter
        f / N * |v - v_s| / v there. A disk of diameter d has the standard deviation d / 4.
        """
        height, width = self.depth_m.shape
        pixel_mm = FULL_FRAME_DIAGONAL_MM * FOCAL_MM / FOCAL_35MM / np.hypot(height, width)
        behind, sensor = (
            1 / (1 / FOCAL_MM - 1 / (1000 * np.asarray(z))) for z in (self.depth_m, focus_m)
        )
        diameter_mm = FOCAL_MM / f_number * (sensor - behind) / behind
        return np.asarray(diameter_mm / pixel_mm / 4)


def depth_scene(shape: tuple[int, int] = (240, 320)) -> DepthScene:
    """A slanted wall 2 to 5 m away, a subject at 0.8 m, and a rail in front of it at 0.4 m."""
    height, width = shape
    depth = np.tile(np.linspace(2, 5, width), (height, 1))
    y, x = np.mgrid[:height, :width]
    subject = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2
    depth[subject] = FOCUS_M
    depth[y > 0.85 * height] = FOCUS_M / 2
    noise = np.random.default_rng(3).normal(0, 40, (height, width, 3))
    base = np.select(
        [depth[..., None] == FOCUS_M, depth[..., None] < FOCUS_M],
        [np.array([190, 120, 80]), np.array([60, 70, 40])],
        np.array([110, 140, 170]),
    )
    picture = np.clip(base + cv2.GaussianBlur(noise, (0, 0), 0.6), 0, 255).astype(np.uint8)
    return DepthScene(picture, depth, (width // 2, height // 2))


def photographs(scene: DepthScene) -> dict[str, bytes]:
    """The scene as a photograph with depth in metres, by container; 8-bit ones are left out."""
    return {
        "gdepth": gdepth_jpeg(scene),
        "gdepth-mm": gdepth_jpeg(scene, units="mm"),
        "gdepth-linear": gdepth_jpeg(scene, inverse=False),
        "dynamic-depth": dynamic_depth_jpeg(scene),
    }


def jpeg(picture: npt.NDArray[np.uint8], *, orientation: int = 1, **more: object) -> bytes:
    """A JPEG with the EXIF of the lens of the scene."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    focal, f_number = (IFDRational(round(10 * each), 10) for each in (FOCAL_MM, F_NUMBER))
    exif.get_ifd(0x8769).update({0x920A: focal, 0x829D: f_number, 0xA405: int(FOCAL_35MM)})
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=95, exif=exif, **more)
    return file.getvalue()


def codes(values: Floats, first: float, last: float, bits: int = 16) -> bytes:
    """A grey PNG of values between two ends."""
    top = 2**bits - 1
    plane = np.rint(np.clip((values - first) / (last - first), 0, 1) * top)
    return bytes(cv2.imencode(".png", plane.astype(np.uint16 if bits == 16 else np.uint8))[1])


def with_segments(data: bytes, *contents: bytes, marker: int = 0xE1) -> bytes:
    """A JPEG with segments of one marker after its start."""
    added = b"".join(struct.pack(">BBH", 255, marker, len(c) + 2) + c for c in contents)
    return data[:2] + added + data[2:]


def described(properties: dict[str, object], spaces: dict[str, str], inside: str = "") -> str:
    """An XMP packet with one description."""
    names = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in spaces.items())
    said = " ".join(f'{name}="{value}"' for name, value in properties.items())
    return RDF.format(f'<rdf:Description rdf:about="" {names} {said}>{inside}</rdf:Description>')


def extension_parts(packet: bytes, size: int = 20_000) -> tuple[str, list[bytes]]:
    """Name and segments of an extended XMP packet."""
    guid = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
    head = EXTENSION + guid.encode()
    return guid, [
        head + struct.pack(">II", len(packet), at) + packet[at : at + size]
        for at in range(0, len(packet), size)
    ]


def gdepth_jpeg(
    scene: DepthScene, *, inverse: bool = True, units: str = "m", extended: bool = True,
    orientation: int = 1, **more: object,
) -> bytes:  # fmt: skip
    """Google's GDepth: black is `Near`, white is `Far`."""
    per_m = {"m": 1.0, "mm": 1000.0}.get(units, 1.0)
    depth = scene.depth_m * per_m
    near, far = float(depth.min()) * 0.9, float(depth.max()) * 1.1
    values, ends = (1 / depth, (1 / near, 1 / far)) if inverse else (depth, (near, far))
    data = base64.b64encode(codes(values, *ends)).decode()
    spaces = {"GDepth": "http://ns.google.com/photos/1.0/depthmap/",
              "xmpNote": "http://ns.adobe.com/xmp/note/"}  # fmt: skip
    said: dict[str, object] = {
        "GDepth:Format": "RangeInverse" if inverse else "RangeLinear",
        "GDepth:Near": near, "GDepth:Far": far, "GDepth:Mime": "image/png",
    }  # fmt: skip
    said |= {"GDepth:Units": units} if units else {}
    said |= more
    photo = jpeg(scene.picture, orientation=orientation)
    if not extended:
        said["GDepth:Data"] = data
        return with_segments(photo, XMP + described(said, spaces).encode())
    packet = described({"GDepth:Data": data}, spaces).encode()
    said["xmpNote:HasExtendedXMP"], parts = extension_parts(packet)
    return with_segments(photo, XMP + described(said, spaces).encode(), *parts)


def dynamic_depth_jpeg(scene: DepthScene, *, units: str = "Meters", padding: int = 0) -> bytes:
    """Dynamic Depth 1.0: files after the JPEG, listed in order."""
    near, far = float(scene.depth_m.min()) * 0.9, float(scene.depth_m.max()) * 1.1
    depth, other = codes(1 / scene.depth_m, 1 / near, 1 / far), b"something else"
    spaces = {"Device": f"{DD}/device/", "Container": f"{DD}/container/", "Item": f"{DD}/item/",
              "Camera": f"{DD}/camera/", "DepthMap": f"{DD}/depthmap/"}  # fmt: skip
    items = [("image/jpeg", 0, 0, "primary"), ("image/png", len(depth), padding, "android/depth"),
             ("text/plain", len(other), 0, "android/other")]  # fmt: skip
    listed = "".join(
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="{mime}" '
        f'Item:Length="{length}" Item:DataURI="{uri}"'
        + (f' Item:Padding="{pad}"' if pad else "") + "/></rdf:li>"
        for mime, length, pad, uri in items
    )  # fmt: skip
    camera = (
        '<Device:Cameras><rdf:Seq><rdf:li rdf:parseType="Resource"><Device:Camera '
        'rdf:parseType="Resource"><Camera:DepthMap DepthMap:Format="RangeInverse" '
        f'DepthMap:Near="{near}" DepthMap:Far="{far}" DepthMap:Units="{units}" '
        'DepthMap:DepthURI="android/depth"/></Device:Camera></rdf:li></rdf:Seq></Device:Cameras>'
    )
    inside = f"<Device:Container><Container:Directory><rdf:Seq>{listed}</rdf:Seq>" \
             f"</Container:Directory></Device:Container>{camera}"  # fmt: skip
    packet = described({}, spaces, inside).encode()
    return with_segments(jpeg(scene.picture), XMP + packet) + depth + b"\0" * padding + other


def apple_jpeg(scene: DepthScene, *, accuracy: str = "absolute", shift: int = 0) -> bytes:
    """Apple's portrait as JPEG: disparity in the second picture of a Multi-Picture index."""
    inverse = 1 / scene.depth_m
    low, high = float(inverse.min()) * 0.9, float(inverse.max()) * 1.1
    plane = np.rint((inverse - low) / (high - low) * 255).astype(np.uint8)
    grey = np.asarray(plane[::2, ::2])
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=100)
    spaces = {"apdi": "http://ns.apple.com/pixeldatainfo/1.0/",
              "depthData": "http://ns.apple.com/depthData/1.0/"}  # fmt: skip
    said = {"apdi:AuxiliaryImageType": "disparity", "apdi:FloatMinValue": low,
            "apdi:FloatMaxValue": high, "depthData:Accuracy": accuracy}  # fmt: skip
    second = with_segments(file.getvalue(), XMP + described(said, spaces).encode())
    first, head = jpeg(scene.picture), b"MPF\0"

    def index(total: int, offset: int) -> bytes:
        rows = struct.pack(">IIIHH", 0x030000, total, 0, 0, 0)
        rows += struct.pack(">IIIHH", 0, len(second), offset + shift, 0, 0)
        tags = struct.pack(">HHI4s", 0xB000, 7, 4, b"0100") + struct.pack(">HHII", 0xB001, 4, 1, 2)
        tags += struct.pack(">HHII", 0xB002, 7, len(rows), 50)
        return b"MM\0*" + struct.pack(">IH", 8, 3) + tags + struct.pack(">I", 0) + rows

    origin = 2 + 4 + len(head)  # of the offsets: after the signature of the first segment
    whole = with_segments(first, head + index(0, 0), marker=0xE2)
    content = head + index(len(whole), len(whole) - origin)
    return with_segments(first, content, marker=0xE2) + second

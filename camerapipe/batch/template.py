"""Names of outputs: a template with fields, and how inputs of one name are told apart."""

from __future__ import annotations

import hashlib
import os
import string
from collections.abc import Iterator
from pathlib import Path, PurePath

from camerapipe.batch.listing import Found
from camerapipe.batch.places import is_remote
from camerapipe.errors import RequestError, hint
from camerapipe.naming import ENDINGS, Outputs, picture_suffix

DEFAULT_TEMPLATE = "{folder}/{stem}_bokeh{ext}"
FIELDS = {
    "folder": "its folder below SRC",
    "parent": "name of its folder",
    "stem": "its name without suffix",
    "suffix": "its suffix without the dot, in lower case",
    "ext": "suffix of the picture, with the dot",
}


class Template:
    """Names outputs below a folder.

    Parameters
    ----------
    text : str
        Such as `DEFAULT_TEMPLATE`; it ends with `{ext}`.
    folder : path
        The folder that outputs go to.
    format_name : str or None
        Format of pictures; None: that of the input, if it can be written.
    with_map : bool
        Whether blur maps are written, beside the pictures.

    Raises
    ------
    RequestError
        If the template has an unknown field, lacks `{stem}`, or leads out of the folder.
    """

    def __init__(
        self,
        text: str,
        folder: str | os.PathLike[str],
        format_name: str | None = None,
        *,
        with_map: bool = False,
    ) -> None:
        _check(text)
        self._text = text
        self._folder = os.fspath(folder) if is_remote(folder) else os.path.abspath(folder)
        self._format, self._with_map = format_name, with_map

    def candidates(self, found: Found) -> Iterator[Outputs]:
        """Outputs of an input, by preference.

        The first is the template's own. The others tell the input from another one of the same
        name: by its suffix (`IMG_1_heic_bokeh.jpg`), and by a digest of its path.
        """
        stem = PurePath(found.relative).stem
        told = f"{stem}_{_suffix(found)}"
        digest = hashlib.blake2b(os.fsencode(found.path), digest_size=4).hexdigest()
        for name in (told,) if found.shares_stem else (stem, told):
            yield self._outputs(found, name)
        yield self._outputs(found, f"{told}_{digest}")

    def _outputs(self, found: Found, stem: str) -> Outputs:
        relative = PurePath(found.relative)
        name = self._text.format(
            folder=relative.parent.as_posix(),
            parent=PurePath(found.path).parent.name,
            stem=stem,
            suffix=_suffix(found),
            ext=picture_suffix(self._format, PurePath(found.path)),
        )
        picture = Path(os.path.normpath(os.path.join(self._folder, name.lstrip("/"))))
        if not self._with_map:
            return Outputs(picture=picture)
        ending = ENDINGS["picture"]
        return Outputs(
            picture=picture,
            map=picture.with_name(picture.stem.removesuffix(ending) + ENDINGS["map"]),
        )


def _suffix(found: Found) -> str:
    return PurePath(found.relative).suffix.lower().lstrip(".")


def _check(text: str) -> None:
    try:
        fields = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise RequestError(f"--template: {error}; write {{{{ for a brace") from error
    for name in fields:
        if name not in FIELDS:
            raise RequestError(f"--template: field {{{name}}} does not exist{hint(name, FIELDS)}")
    if "stem" not in fields or not text.endswith("{ext}"):
        raise RequestError(
            "--template: expected a name with {stem} that ends with {ext}, such as "
            f"{DEFAULT_TEMPLATE}; got {text!r}"
        )
    if os.path.isabs(text) or ".." in PurePath(text).parts:
        raise RequestError(f"--template: expected a name below the folder of -o; got {text!r}")

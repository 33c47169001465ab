"""`camerapipe serve`: the studio and the viewfinder in the browser, on one's own machine."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from camerapipe.cli.common import (
    USAGE,
    Failure,
    max_pixels,
    prepare,
    quiet_option,
    recipe_option,
    request_errors,
    say,
    settings_options,
)
from camerapipe.extras import install

if TYPE_CHECKING:
    from camerapipe.recipe import Recipe
    from camerapipe.web.views import Views

NEEDED = ("starlette", "uvicorn", "websockets")
MEGABYTE = 1 << 20


@click.command("serve")
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path), metavar="[PHOTO|DIR]...")
@click.option(
    "--viewfinder", metavar="SRC",
    help="open the viewfinder, on a video, a folder, the index of a camera, synthetic:SCENE, "
    "recording:DIR, or the scene of a simulated camera (portrait, night ... or a TOML file)",
)  # fmt: skip
@click.option(
    "--recordings", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    default=Path("camerapipe-recordings"), show_default=True, help="for those of the viewfinder",
)  # fmt: skip
@click.option("--demo", is_flag=True, help="open a photograph that scikit-learn carries")
@recipe_option
@settings_options
@click.option("--port", type=click.IntRange(0, 65535), help="port (8737); 0: any free one")
@click.option("--no-browser", is_flag=True, help="print the address only")
@click.option(
    "--host", metavar="ADDRESS",
    help="listen there, so that other machines reach the server (default: only this one); needs "
    "--certificate and --key, or --insecure",
)  # fmt: skip
@click.option(
    "--certificate", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE.pem", help="serve https with it",
)  # fmt: skip
@click.option(
    "--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE.pem",
    help="private key of the certificate",
)  # fmt: skip
@click.option(
    "--insecure", is_flag=True,
    help="with --host: plain http; whoever sees the traffic sees the pictures and the token",
)  # fmt: skip
@click.option("--max-pixels", type=click.IntRange(1), help="refuse larger captures")
@click.option("--max-upload", type=click.IntRange(1), metavar="MB", help="largest file (512)")
@quiet_option
@request_errors
def serve_command(sources: tuple[Path, ...], **options: Any) -> None:
    """Open the studio in the browser: on a photograph, on the pictures of a folder, or empty.

    With --viewfinder, open the viewfinder instead; each has a link to the other.
    Everything stays on this machine; nothing is loaded from elsewhere. Ctrl-C ends it.
    """
    _check_address(options)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise Failure(f"serve: {missing[0]} is missing: {install('web')}", USAGE)
    from camerapipe.web.running import listen, run
    from camerapipe.web.serving import DEFAULT_PORT, LOOPBACK, Serving
    from camerapipe.web.shelf import Shelf
    from camerapipe.web.site import site
    from camerapipe.web.studio import Studio
    from camerapipe.web.viewfinder import Viewfinder

    recipe, views = _recipe(options), _views(options)
    serving = Serving(
        host=options["host"] or LOOPBACK,
        port=DEFAULT_PORT if options["port"] is None else options["port"],
        certificate=options["certificate"],
        key=options["key"],
        max_pixels=max_pixels(options),
        **({"max_upload_bytes": options["max_upload"] * MEGABYTE} if options["max_upload"] else {}),
    )
    quiet = options["quiet"]
    with ExitStack() as stack:
        if options["demo"]:
            sources = (*sources, _demo())
        shelf = Shelf.of(sources)
        serving, listener = listen(serving)
        stack.enter_context(listener)
        prepare(quiet=quiet, long_running=True, seldom=True)
        studio = Studio(serving, shelf, {"recipe": recipe})
        finder = Viewfinder(views, studio.open_file)
        link = serving.link("viewfinder" if options["viewfinder"] else "")

        def started() -> None:
            say(f"{link}  (Ctrl-C ends it)")

        run(
            site(serving, [studio, finder]), serving, listener, started=started,
            browse=None if options["no_browser"] else link,
        )  # fmt: skip
    if not quiet:
        say("stopped")


def _recipe(options: dict[str, Any]) -> Recipe:
    """What every photograph starts with: the recipe, with the other options over it."""
    from camerapipe.recipe import Recipe, resolve_with
    from camerapipe.settings import Layer

    read = Recipe.read(options["recipe_from"]) if options["recipe_from"] else None
    settings = resolve_with(
        read, options["preset"], options["config"], options["overrides"], look=options["look"]
    )
    return replace(
        read or Recipe(),
        preset=settings.preset.name,
        look=settings.look if settings.preset.looks else None,
        params=settings.changed(Layer.FILE, Layer.RECIPE, Layer.PERSON),
    )


def _views(options: dict[str, Any]) -> Views:
    """What the viewfinder can show; a source that cannot be opened is refused before it starts."""
    from camerapipe.simulator.scenes import is_scene, read_scene
    from camerapipe.stream.recorded import RECORDING, open_recorded
    from camerapipe.stream.sources import open_source
    from camerapipe.web.views import Views

    limit, source = max_pixels(options), options["viewfinder"]
    if source is not None and source.startswith(RECORDING):
        open_recorded(source.removeprefix(RECORDING), None, paced=False)
    elif source is not None and is_scene(source):
        read_scene(source)
    elif source is not None and not source.isdecimal():
        open_source(source, paced=False, max_pixels=limit).close()
    given = {key: options[key] for key in ("preset", "config", "overrides")}
    return Views(source, given, limit, options["recordings"])


def _demo() -> Path:
    """The photograph that scikit-learn carries."""
    from camerapipe.samples import flower_path

    try:
        return flower_path()
    except FileNotFoundError as error:
        raise Failure(f"serve: --demo: {error}", USAGE) from error


def _check_address(options: dict[str, Any]) -> None:
    """Refuse an address that others reach without encryption, unless that is asked for."""
    from camerapipe.errors import RequestError

    if (options["certificate"] is None) != (options["key"] is None):
        raise RequestError("--certificate and --key belong together")
    host = options["host"]
    local = host in (None, "localhost", "::1") or host.startswith("127.")
    if not local and options["certificate"] is None and not options["insecure"]:
        raise RequestError(
            f"--host {host}: others could read the traffic, and browsers give a page over http no "
            "camera; give --certificate and --key, or say --insecure"
        )

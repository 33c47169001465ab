"""`camerapipe batch`: many files in, many pictures out, with a journal."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from camerapipe.cli.batch_engines import engine_in
from camerapipe.cli.common import (
    USAGE,
    Failure,
    common_options,
    max_pixels,
    prepare,
    request_errors,
)
from camerapipe.cli.jobs import protection_in, recipe_in, request_in
from camerapipe.cli.render import EMBEDDED, render_command
from camerapipe.errors import RequestError

if TYPE_CHECKING:
    from camerapipe.batch.journal import Journal
    from camerapipe.batch.listing import Listing
    from camerapipe.batch.order import Work
    from camerapipe.batch.planning import Planner

SHARED = (  # options of `render` that a batch has as well
    "strength", "aperture", "falloff", "recipe_from", "budgets", "from_depth", "guide_depth",
    "protect_model", "protect_input", "protect_mean", "protect_scale", "protect_channels",
    "protect_class", "format_name", "bits", "quality", "embed_map", "strip_gps", "distance",
    "force", "pairs", "overwrite",
)  # fmt: skip
SHOWN_AGAIN = (*SHARED, "preset", "look", "config", "overrides", "max_pixels")  # in a command
AGAIN = "again"  # folder of a command that shows a fault
TEMPLATE = "{folder}/{stem}_bokeh{ext}"


def _place(ctx: click.Context, option: click.Parameter, text: str) -> Path:
    """The folder of `-o`, of this machine or remote."""
    from camerapipe.batch.places import is_remote, place_of

    try:
        place = place_of(text)
    except RequestError as error:
        raise click.BadParameter(str(error)) from error
    if not is_remote(place) and place.exists() and not place.is_dir():
        raise click.BadParameter(f"{text} is a file; expected a folder")
    return place


@click.command("batch", epilog="Fields of --template: {folder} of the file below SRC, {parent} "
    "name of its folder, {stem} its name without suffix, {suffix} its suffix without the dot, "
    "{ext} suffix of the picture.")  # fmt: skip
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@click.option("-o", "--output", required=True, callback=_place, metavar="DIR|URL",
    help="folder of the pictures, also remote (s3://, sftp://, ...; needs --journal)")  # fmt: skip
@click.option("-r", "--recursive", is_flag=True, help="look into subfolders")
@click.option("--include", multiple=True, metavar="GLOB", help="of a folder, only such names")
@click.option("-0", "--null", is_flag=True, help="names of the list end with a NUL, not a newline")
@click.option("--template", default=TEMPLATE, metavar="TEXT", show_default=True,
    help="names of the pictures below DIR")  # fmt: skip
@click.option("--map", "with_map", is_flag=True, help="write the blur maps as well (.tiff)")
@click.option("--only-suitable", is_flag=True, help="leave out what has no defocus to magnify")
@click.option("--workers", type=click.IntRange(1), help="processes (default: one for each core)")
@click.option("--memory", metavar="4G", help="of all workers together (default: half of the RAM)")
@click.option("--timeout", metavar="120s", default="10min", show_default=True,
    help="longest time for one file")  # fmt: skip
@click.option("--retry", type=click.IntRange(0), default=1, show_default=True,
    help="further attempts at a file whose worker crashed, hung or ran out of memory")  # fmt: skip
@click.option("--retry-quarantined", is_flag=True, help="try again what crashed workers before")
@click.option("--verify", is_flag=True, help="read files again that seem unchanged")
@click.option("--cluster", metavar="ADDRESS|local",
    help="a Dask scheduler (tcp:// or tls://), or workers of Dask on this machine")  # fmt: skip
@click.option("--tls-ca", type=click.Path(path_type=Path), metavar="FILE",
    help="certificate authority of a tls:// cluster")  # fmt: skip
@click.option("--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="own certificate")
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="its private key")
@click.option("--shard", metavar="I/N", help="only this part of the files, on each of N machines")
@click.option("--journal", "journal_path", type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE", help="journal of the batch (default: in DIR)")  # fmt: skip
@click.option("--report", "with_report", is_flag=True, help="write pages of HTML into DIR")
@click.option("--dry-run", is_flag=True, help="say what would be done")
@common_options
@request_errors
def batch_command(**options: Any) -> None:
    """Render many files, several at a time, and keep a journal.

    SRC is a file, a folder, a glob in quotes, or - for a list on standard input. Run the same
    command again, and only what is missing, changed or failed is done. A recipe beside a
    photograph (IMG_1.recipe.toml) counts key by key: --recipe < beside < command line. A file that
    crashes or hangs its worker costs that file only.
    """
    from camerapipe.cli.batch_telling import tell_plan

    work = work_in(options)
    with journal_in(options, dry=options["dry_run"]) as journal:
        planner, listing = (
            planner_in(options, work, journal),
            listing_in(options, journal.is_output),
        )
        if options["dry_run"]:
            code = tell_plan(planner, listing, as_json=options["as_json"])
        else:
            code = _run(options, planner, listing)
    click.get_current_context().exit(code)


def _run(options: dict[str, Any], planner: Planner, listing: Listing) -> int:
    from camerapipe.batch.report import write_report
    from camerapipe.batch.running import Batch
    from camerapipe.cli.batch_telling import BatchTeller
    from camerapipe.cli.telling import interrupts

    command = command_again()
    teller = BatchTeller(
        planner, command=command, quiet=options["quiet"], as_json=options["as_json"]
    )
    listing.problem = teller.problem
    engine = engine_in(options, planner.work)
    prepare(quiet=options["quiet"])
    with engine:
        batch = Batch(
            planner=planner, engine=engine, retry=options["retry"], observe=teller.observe
        )
        count = None if "-" in listing.sources else listing_in(options)
        with interrupts(batch, "ending after the files in work") as seen, teller.progress(count):
            batch.run(listing)
    if options["with_report"]:
        teller.report(write_report(planner.journal, _report_folder(options), command))
    return teller.summary(interrupted=seen)


def journal_in(options: dict[str, Any], *, dry: bool = False) -> Journal:
    """The journal of a batch; the folders of its outputs are made."""
    from camerapipe.batch.journal import JOURNAL_NAME, Journal
    from camerapipe.batch.places import is_remote
    from camerapipe.ingest import make_folder

    path = options["journal_path"] or options["output"] / JOURNAL_NAME
    if is_remote(path):
        raise Failure("-o URL: the journal has to be on this machine; name it by --journal", USAGE)
    if not dry:
        if not is_remote(options["output"]):
            make_folder(options["output"])
        make_folder(path.parent)
    return Journal(path, dry=dry)


def _report_folder(options: dict[str, Any]) -> Path:
    """The folder of the report: beside the pictures, or beside the journal if they are remote."""
    from camerapipe.batch.places import is_remote
    from camerapipe.batch.thumbnails import REPORT_FOLDER

    output, journal = options["output"], options["journal_path"]
    return Path(journal.parent if journal and is_remote(output) else output, REPORT_FOLDER)


def work_in(options: dict[str, Any]) -> Work:
    """What the options of a batch ask of all files."""
    from camerapipe.batch.order import Asked, Work
    from camerapipe.batch.thumbnails import THUMBNAILS
    from camerapipe.ingest import Metadata
    from camerapipe.job import Writing

    for key in ("from_depth", "guide_depth"):
        if options[key] not in (None, EMBEDDED):
            option = f"--{key.replace('_', '-')}"
            raise Failure(f"{option}: a batch takes {EMBEDDED!r} only", USAGE)
    recipe = recipe_in(options)
    one = {"protect": None, "subject": None}  # options of `render` for one photograph
    return Work(
        asked=Asked(request=request_in(options, recipe), recipe=recipe),
        writing=Writing(
            format=options["format_name"],
            bits=int(options["bits"]) if options["bits"] else None,
            quality=options["quality"],
            metadata=Metadata.WITHOUT_GPS if options["strip_gps"] else Metadata.ALL,
            embed_map=options["embed_map"],
        ),
        from_depth=options["from_depth"],
        guide_depth=options["guide_depth"],
        protection=protection_in({**options, **one}, several=True),
        max_pixels=max_pixels(options),
        only_suitable=options["only_suitable"],
        thumbnails=_report_folder(options) / THUMBNAILS if options["with_report"] else None,
    )


def planner_in(options: dict[str, Any], work: Work, journal: Journal) -> Planner:
    """What turns inputs into orders."""
    from camerapipe.batch.planning import Planner
    from camerapipe.batch.template import Template

    template = Template(
        options["template"], options["output"], options["format_name"],
        with_map=options["with_map"],
    )  # fmt: skip
    return Planner(
        journal=journal,
        template=template,
        work=work,
        request_for=lambda recipe: request_in(options, recipe),
        overwrite=options["overwrite"],
        verify=options["verify"],
        retry_quarantined=options["retry_quarantined"],
    )


def listing_in(
    options: dict[str, Any], is_output: Callable[[str], bool] = lambda path: False
) -> Listing:
    """The inputs of a batch."""
    from camerapipe.batch.listing import Listing, Shard
    from camerapipe.ingest.folders import Pairs

    return Listing(
        sources=options["sources"],
        output=str(options["output"]),
        is_output=is_output,
        recursive=options["recursive"],
        include=options["include"],
        pairs=Pairs(options["pairs"]),
        shard=None if options["shard"] is None else Shard.parse(options["shard"]),
        names=sys.stdin.buffer if "-" in options["sources"] else None,
        separator=b"\0" if options["null"] else b"\n",
    )


def command_again() -> Callable[[str], str]:
    """The command that shows a fault of a file again, with what was asked of it."""
    context = click.get_current_context()
    words = ["--workers", "1", "--retry", "0"]
    for param in context.command.params:
        given = context.get_parameter_source(param.name or "")
        if param.name not in SHOWN_AGAIN or given is not ParameterSource.COMMANDLINE:
            continue
        value, option = context.params[param.name], max(param.opts, key=len)
        if value is True:
            words.append(option)
        else:
            for each in value if isinstance(value, tuple) else (value,):
                words += [option, str(each)]
    return lambda source: shlex.join(["camerapipe", "batch", source, "-o", AGAIN, *words])


batch_command.params += [each for each in render_command.params if each.name in SHARED]

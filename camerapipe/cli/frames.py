"""Options of the commands that make frames: `stream` and `simulate`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import click

from camerapipe.cli.common import USAGE, F, Failure, force_option, strength_option

SPEEDS = ("fast", "typical", "slow")


def size_option(what: str) -> Callable[[F], F]:
    """`--size`, of what is made."""
    return click.option("--size", default="1280x720", show_default=True, metavar="WxH", help=what)


def frames_options(command: F) -> F:
    """Add the options of rendering, device and trace."""
    options = [
        strength_option,
        click.option(
            "--rung", metavar="NAME",
            help="always this rung of the quality ladder (see `camerapipe stream --costs`)",
        ),
        click.option(
            "--speed", type=click.Choice(SPEEDS), default="typical", show_default=True,
            help="place in the ranges of the profile",
        ),
        click.option(
            "--seed", type=click.IntRange(0), default=0, show_default=True,
            help="of scene, shake, noise, and the jitter of a device",
        ),
        click.option(
            "--trace", metavar="FILE.json",
            help="write a trace for Perfetto and `camerapipe report`",
        ),
        force_option,
    ]  # fmt: skip
    return functools.reduce(lambda made, option: option(made), reversed(options), command)


def size_of(text: str) -> tuple[int, int]:
    """Read a WxH."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise Failure(f"--size: expected WIDTHxHEIGHT; got {text!r}", USAGE) from None
    return width, height

"""`camerapipe graph`: what runs after what."""

from __future__ import annotations

import click

from camerapipe.cli.common import USAGE, Failure

CHART = ("check", "default")  # graphs of the chart if none is named


@click.command("graph")
@click.argument("names", nargs=-1, metavar="[GRAPH...]")
@click.option("--mermaid", is_flag=True, help="print one Mermaid flow chart")
def graph_command(names: tuple[str, ...], mermaid: bool) -> None:
    """Show stage graphs: what runs after what, and which values flow.

    Without a name the graphs are listed; with --mermaid those of a still are drawn.
    """
    from camerapipe.errors import hint
    from camerapipe.graph import mermaid as chart
    from camerapipe.presets import graphs

    known = graphs()
    for name in names:
        if name not in known:
            raise Failure(f"graph {name!r} does not exist{hint(name, known)}", USAGE)
    if mermaid:
        click.echo(chart(known[name] for name in names or CHART))
        return
    if names:
        click.echo("\n\n".join(known[name].text() for name in names))
        return
    width = max(map(len, known))
    for name, graph in known.items():
        stages = f"{len(graph.nodes)} stage{'s' * (len(graph.nodes) != 1)}"
        click.echo(f"{name:<{width}}  {stages:<9} -> {', '.join(graph.outputs)}")

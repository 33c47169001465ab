"""Tables that follow from the code: stages, parameters, presets."""

from __future__ import annotations

from dataclasses import fields

from camerapipe.pipelines import CHECK
from camerapipe.presets import PRESETS, SECTIONS
from stages.params import expectation


def stage_table() -> str:
    """Every stage of the check and of the default preset: what it reads, makes, and may give up."""
    lines = ["| stage | reads | makes | parameters | when time is short |", "|---|---|---|---|---|"]
    for node in (*CHECK.order, *PRESETS["default"].picture_graph.order):
        short = "stops at its best so far" if node.anytime else ""
        short = f"`{node.fallback.__name__}`" if node.fallback else short
        short += ", from there on full detail" if node.steps else ""
        section = f"`{node.params.stage()}`" if node.params else ""
        reads = ", ".join(f"`{value}`" for value in node.inputs)
        lines.append(f"| {node.name} | {reads} | `{node.output}` | {section} | {short} |")
    return "\n".join(lines)


def parameter_table() -> str:
    """Every parameter with its default, what it accepts, and what it does."""
    lines = ["| parameter | default | accepts | what it does |", "|---|---|---|---|"]
    for section, kind in SECTIONS.items():
        for spec in fields(kind):
            name, text = f"`{section}.{spec.name}`", spec.metadata["help"]
            lines.append(f"| {name} | {spec.default} | {expectation(spec)} | {text} |")
    return "\n".join(lines)


def preset_table() -> str:
    """The presets, and where they differ from the defaults."""
    lines = ["| preset | what | differs in |", "|---|---|---|"]
    for preset in PRESETS.values():
        changes = [
            f"`{section}.{name}={value}`"
            for section, values in preset.params.items()
            for name, value in values.items()
        ]
        lines.append(f"| `{preset.name}` | {preset.summary} | {', '.join(changes)} |")
    return "\n".join(lines)


TABLES = {"stages": stage_table, "parameters": parameter_table, "presets": preset_table}

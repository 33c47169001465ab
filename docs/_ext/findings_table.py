"""The table of findings, read from the calls of `Finding` in the code."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = ("code", "severity", "message")


class Row(NamedTuple):
    """One kind of finding: values within the message are shown as `...`."""

    code: str
    severity: str
    message: str


def findings() -> list[Row]:
    """Every finding whose code is written out in the code, sorted by code."""
    rows: set[Row] = set()
    for folder in ("camerapipe", "stages"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            rows.update(_rows(path))
    return sorted(rows)


def findings_table() -> str:
    """The findings as a table in Markdown."""
    lines = ["| code | severity | message |", "|---|---|---|"]
    for row in findings():
        message = (
            (row.message or "(depends on the case)")
            .replace("|", "\\|")
            .replace("*", "\\*")
            .replace("<", "\\<")
        )
        lines.append(f"| `{row.code}` | {row.severity} | {message} |")
    return "\n".join(lines)


def _rows(path: Path) -> Iterator[Row]:
    tree = ast.parse(path.read_text())
    constants = _assigned(tree.body)
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.FunctionDef | ast.Module):
            continue
        nodes = list(_statements(scope))
        for call in _calls(scope):
            names = constants | _assigned(nodes, before=call.lineno)
            given = dict(zip(ARGUMENTS, call.args, strict=False))
            given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
            code = _text(given.get("code"), names)
            if code:
                severity = " or ".join(_severities(given["severity"], names))
                yield Row(code, severity, _text(given.get("message"), names))


def _statements(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes within a scope, without those of the functions in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _statements(child)


def _assigned(nodes: Iterable[ast.AST], before: int | None = None) -> dict[str, ast.expr]:
    """What names are assigned to, the last value above the line `before`."""
    found = (
        node
        for node in nodes
        if isinstance(node, ast.Assign) and (before is None or node.lineno < before)
    )
    return {
        target.id: node.value
        for node in sorted(found, key=lambda node: node.lineno)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _calls(scope: ast.AST) -> Iterator[ast.Call]:
    for node in _statements(scope):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding" and node.args:
            yield node


def _severities(node: ast.expr, names: dict[str, ast.expr]) -> list[str]:
    """Severities that an expression can have."""
    node = names.get(node.id, node) if isinstance(node, ast.Name) else node
    found = [n.attr.lower() for n in ast.walk(node) if isinstance(n, ast.Attribute)]
    return [name for name in found if name in ("info", "warning", "blocking")] or ["varies"]


def _text(node: ast.expr | None, names: dict[str, ast.expr]) -> str:
    """The text of an expression, with `...` for what is known only when it runs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name) and node.id in names:
        return _text(names[node.id], {k: v for k, v in names.items() if k != node.id})
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else "..." for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (_text(node.left, names) or "...") + (_text(node.right, names) or "...")
    return ""

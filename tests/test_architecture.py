"""The laws of the house: who may import whom, and how large a room may be."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(p for package in ("stages", "camerapipe") for p in (ROOT / package).rglob("*.py"))
# Rooms of camerapipe, lowest level first: each imports only from lower levels, or its own room.
LEVELS = [
    {"errors", "version", "hints", "spreading", "extras"},
    {"capture", "report", "graph", "arguments"},
    {"corrections"},
    {"budget", "optics", "costs", "memo", "pipelines"},
    {"live", "still", "hdr_graph"},
    {"depth_graphs"},
    {"ingest", "presets", "levels", "runner", "synthetic", "night_portrait", "samples"},
    {"settings", "shot", "runtime", "trace", "segmentation", "masks"},
    {"protecting", "depth", "isolation"},
    {"sheet", "recipe_keys"},
    {"assembly", "verdict"},
    {"scaling"},
    {"camera", "timeline", "recipe", "naming"},
    {"session", "stream", "job_data"},
    {"job", "simulator"},
    {"api", "batch", "web"},
    {"cli"},
]
STAGES_MAY_IMPORT = {"numpy", "cv2", "numba", "scipy", "stages"}
STANDARD_FORBIDDEN = {"os", "time", "logging", "pathlib", "io", "sys", "subprocess", "datetime"}
WORKERS_ROOM = "stages/strips.py"
MOST_LINES, MOST_FUNCTION_LINES = 350, 60


def imports(path):
    """Yield modules imported anywhere in a file: in functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert all(alias.name != "*" for alias in node.names), f"{path}: star import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [p for p in SOURCES if "stages" in p.parts], ids=name_of)
def test_stages_know_no_file_clock_or_camera(path):
    calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    named = {call.id for call in calls if isinstance(call, ast.Name)}
    assert not named & {"open", "print", "input"}, f"{path} talks to the world"
    for module in imports(path):
        top = module.split(".")[0]
        standard = top in sys.stdlib_module_names
        assert standard or top in STAGES_MAY_IMPORT, f"{path} imports {module}"
        if name_of(path) != WORKERS_ROOM:
            assert top not in STANDARD_FORBIDDEN, f"{path} imports {module}"
            assert not module.startswith("concurrent"), f"{path} imports {module}"


def level_of(room):
    found = [level for level, rooms in enumerate(LEVELS) if room in rooms]
    assert found, f"give the room {room!r} a level"
    return found[0]


CAMERA = [p for p in SOURCES if p.parent != ROOT / "stages" and "stages" not in p.parts]


@pytest.mark.parametrize("path", CAMERA, ids=name_of)
def test_only_the_budget_reads_clocks_and_only_the_command_line_prints(path):
    tree = ast.parse(path.read_text())
    if path.name != "budget.py":
        assert not {"time", "datetime"} & set(imports(path)), f"{path} reads a clock"
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert "print" not in names, f"{path} prints"


@pytest.mark.parametrize("path", CAMERA, ids=name_of)
def test_camerapipe_imports_point_one_way(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[1] in ("__init__", "__main__"):
        return
    for module in imports(path):
        package, _, rest = module.partition(".")
        if package != "camerapipe" or not rest:
            continue
        room = rest.split(".")[0]
        if room != parts[1]:
            assert level_of(room) < level_of(parts[1]), f"{path} imports {module}"


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def in_circles(graph):
    """Modules that are left when those that import none of the others are removed, repeatedly."""
    graph = {name: found & graph.keys() - {name} for name, found in graph.items()}
    while leaves := {name for name, found in graph.items() if not found & graph.keys()}:
        graph = {name: found for name, found in graph.items() if name not in leaves}
    return graph


def test_no_import_cycle():
    graph = in_circles({module_of(path): set(imports(path)) for path in SOURCES})
    assert not graph, f"these import each other in a circle: {sorted(graph)}"


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c", "numpy"}, "c": {"b"}, "d": set()}
    assert in_circles(graph).keys() == {"a", "b", "c"}


def test_imports_are_seen_everywhere(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import os.path\n"
        "if TYPE_CHECKING:\n    from one import two\n"
        "def function():\n    from three.four import five\n"
    )
    assert set(imports(path)) == {"os.path", "one", "one.two", "three.four", "three.four.five"}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_rooms_stay_small(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            doc = ast.get_docstring(node, clean=False)
            lines = (node.end_lineno or 0) - node.lineno + 1 - (len(doc.splitlines()) if doc else 0)
            assert lines <= MOST_FUNCTION_LINES, f"{path}: {node.name} has {lines} lines"

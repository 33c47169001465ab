"""Runs examples of the documentation in a process of its own: a page per line of standard input.

A page is a JSON list of (language, text). Commands of camerapipe run in this process, as the script
`camerapipe` would; Python runs in a fresh namespace. The answer is one line of JSON: null, or the
example that failed and what it printed.
"""

import contextlib
import io
import json
import shlex
import shutil
import sys
import traceback
from pathlib import Path

OUTPUTS = ("-o", "--map", "--report", "--trace", "--save-recipe", "--record")


def cleared(words, samples):
    """Remove what an earlier example wrote under the names of the outputs."""
    for option, value in zip(words, words[1:], strict=False):
        path = Path(value)
        if option in OUTPUTS and value not in samples and words[0] != "batch":
            if path.is_dir():
                shutil.rmtree(path)
            elif path.is_file():
                path.unlink()


def command(line, samples):
    """Run one command line of camerapipe; raise what it printed where it fails."""
    from camerapipe.cli import main

    words = shlex.split(line)[1:]
    cleared(words, samples)
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as end:
            code = end.code or 0
    if code:
        raise RuntimeError(f"exit code {code}: {out.getvalue()}{err.getvalue()}")


def played(page, samples):
    """Run the examples of a page in order; None, or the first failure."""
    for language, text in page:
        try:
            if language == "sh":
                command(text, samples)
            else:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(text, "example", "exec"), {"__name__": "example"})
        except BaseException:
            return f"{text}\n{traceback.format_exc()}"
    return None


if __name__ == "__main__":
    known = {path.name for path in Path().iterdir()}
    for request in sys.stdin:
        answer = played(json.loads(request), known)
        sys.__stdout__.write(json.dumps(answer) + "\n")
        sys.__stdout__.flush()

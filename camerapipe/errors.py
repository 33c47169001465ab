"""Exceptions. Each message is one line: what is wrong, where, what to do."""

import difflib
from collections.abc import Iterable
from enum import IntEnum


class RequestError(ValueError):
    """Something asked for that does not exist, or does not fit the capture."""


class CaptureError(Exception):
    """A capture that cannot be read: the message says which file, what is wrong and what to do."""


class LimitError(CaptureError):
    """A capture beyond a limit (pixels, memory) that the person can raise."""


class OutputError(Exception):
    """An output that cannot be written; nothing was left under its name."""


class WorkersError(Exception):
    """Workers of a batch that end before they have done anything, or do not answer."""


class ExitCode(IntEnum):
    """How a job or a command ended. The values are the exit codes of the command line."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREADABLE = 3
    LIMIT = 4
    UNWRITTEN = 5
    LATE = 6
    NEGATIVE = 7


def hint(name: object, known: Iterable[str]) -> str:
    """Text that suggests the most similar known name, or lists all of them."""
    names = [str(each) for each in known]
    close = difflib.get_close_matches(str(name), names, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(names)}"


def exit_code_of(error: BaseException) -> ExitCode:
    """Exit code that stands for the kind of an error."""
    kinds: tuple[tuple[type[BaseException], ExitCode], ...] = (
        (LimitError, ExitCode.LIMIT),
        (MemoryError, ExitCode.LIMIT),
        (CaptureError, ExitCode.UNREADABLE),
        (OutputError, ExitCode.UNWRITTEN),
        (RequestError, ExitCode.USAGE),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), ExitCode.FAILED)


def explain(error: BaseException, subject: str) -> str:
    """One line that says what went wrong with `subject`, such as the name of a file."""
    if isinstance(error, CaptureError | OutputError | WorkersError):
        return str(error)  # it names the file, or the workers
    if isinstance(error, RequestError):
        return f"{subject}: {error}"
    if isinstance(error, MemoryError):
        return f"{subject}: not enough memory; lower the limit of pixels or free some"
    place = f" ({error.__notes__[-1]})" if getattr(error, "__notes__", None) else ""
    return f"{subject}: {type(error).__name__}: {error}{place}"

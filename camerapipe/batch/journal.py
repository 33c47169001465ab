"""The journal: the state of every file of a batch, in SQLite.

A file is entered, with the names of its outputs, before it is handed out, and that commit is on the
disk before any output is. Results are committed in groups: if power fails, the last group is done
again. One process at a time has the journal, which SQLite's exclusive lock ensures; the lock ends
with the process. On a local disk the journal is a write-ahead log. On network drives, where that is
not safe, it is SQLite's rollback journal.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from camerapipe.batch.disks import is_network_drive
from camerapipe.batch.order import FileStamp, Outcome, State
from camerapipe.errors import OutputError
from camerapipe.naming import Outputs

JOURNAL_NAME = "camerapipe-batch.sqlite"
CACHE_KIB = 1024  # of pages in memory
FORMAT = 1  # of the tables: PRAGMA user_version
TABLES = """
CREATE TABLE files (
  number INTEGER PRIMARY KEY,
  source BLOB NOT NULL UNIQUE,
  picture BLOB NOT NULL UNIQUE,
  map BLOB UNIQUE,
  state TEXT NOT NULL,
  run INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  owned INTEGER NOT NULL,
  size INTEGER, mtime_ns INTEGER, inode INTEGER,
  digest BLOB,
  recipe BLOB NOT NULL,
  version TEXT NOT NULL,
  code INTEGER NOT NULL DEFAULT 0,
  message TEXT NOT NULL DEFAULT '',
  facts TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX files_state ON files (state, number);
CREATE TABLE runs (number INTEGER PRIMARY KEY, started TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
"""


class Row(NamedTuple):
    """A file in the journal. Paths are bytes as of `os.fsencode`."""

    number: int
    source: bytes
    picture: bytes
    map: bytes | None
    state: str
    run: int
    attempts: int
    owned: int  # whether its outputs are those of this file, and may be replaced
    size: int | None
    mtime_ns: int | None
    inode: int | None
    digest: bytes | None
    recipe: bytes
    version: str
    code: int
    message: str
    facts: str

    @property
    def file(self) -> FileStamp | None:
        """Stamp of the content that was last seen."""
        if self.size is None or self.mtime_ns is None or self.inode is None:
            return None
        return FileStamp(self.size, self.mtime_ns, self.inode)

    @property
    def written(self) -> tuple[bytes, ...]:
        """Paths of the outputs that were written."""
        kinds = json.loads(self.facts).get("written", ())
        places = {"picture": self.picture, "map": self.map}
        return tuple(path for kind in kinds if (path := places[kind]) is not None)


COLUMNS = ", ".join(Row._fields)


class Journal:
    """A journal file; a new run starts when it is opened.

    Parameters
    ----------
    path : path
        The file, which is made if it does not exist.
    dry : bool
        Change nothing on the disk: what is entered is forgotten when the journal is closed.

    Raises
    ------
    OutputError
        If it cannot be opened, belongs to a newer version, or another process has it.
    """

    def __init__(self, path: str | os.PathLike[str], *, dry: bool = False) -> None:
        self._dry = dry
        self.path = Path(path)
        name = "" if dry and not self.path.exists() else os.path.abspath(path)
        try:
            self._base = sqlite3.connect(name, isolation_level=None, timeout=0)
            self._set_up(network=is_network_drive(self.path.parent))
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise OutputError(
                    f"{path}: another batch has this journal; wait for its end, or choose --journal"
                ) from error
            raise OutputError(f"{path}: the journal cannot be opened ({error})") from error
        except sqlite3.DatabaseError as error:
            raise OutputError(f"{path}: is no journal of a batch ({error})") from error
        self.changes = 0  # since the last commit

    def _set_up(self, *, network: bool) -> None:
        run = self._base.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run(f"PRAGMA cache_size = -{CACHE_KIB}")
        if not self._dry:
            run(f"PRAGMA journal_mode = {'DELETE' if network else 'WAL'}")
            run("PRAGMA synchronous = FULL")
        run("BEGIN IMMEDIATE")
        (found,) = run("PRAGMA user_version").fetchone()
        if found > FORMAT:
            raise OutputError(f"{self.path}: was written by a newer camerapipe; update this one")
        if found == 0:
            for statement in TABLES.split(";"):
                run(statement)
            run(f"PRAGMA user_version = {FORMAT}")
        self.new_run()
        if not self._dry:
            run("COMMIT")
            run("BEGIN IMMEDIATE")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def new_run(self) -> None:
        """Start another run: inputs that were seen before may be named again."""
        cursor = self._do("INSERT INTO runs DEFAULT VALUES")
        assert cursor.lastrowid is not None
        self.run = cursor.lastrowid

    def close(self) -> None:
        """Commit, and close the file."""
        try:
            if self._dry:
                self._do("ROLLBACK")
            else:
                self.commit(more=False)
        finally:
            self._base.close()

    def commit(self, *, more: bool = True) -> None:
        """Put all changes on the disk."""
        if self._dry:
            return
        self._do("COMMIT")
        self.changes = 0
        if more:
            self._do("BEGIN IMMEDIATE")

    def find(self, source: str) -> Row | None:
        """The row of a source, by its absolute path."""
        return self._one("source = ?", os.fsencode(source))

    def is_output(self, path: str) -> bool:
        """Whether a path is an output that some run claimed."""
        key = os.fsencode(path)
        found = self._do(
            "SELECT 1 FROM files WHERE picture = ? UNION ALL SELECT 1 FROM files WHERE map = ?",
            (key, key),
        )
        return found.fetchone() is not None

    def claim(
        self,
        source: str,
        outputs: Outputs,
        file: FileStamp | None,
        *,
        recipe: bytes,
        version: str,
        owned: bool,
    ) -> int | None:
        """Enter a file as queued; its number, or None if an output belongs to another file."""
        values = {
            "source": os.fsencode(source), "picture": _key(outputs.picture),
            "map": _key(outputs.map), "state": State.QUEUED, "run": self.run, "attempts": 0,
            "owned": owned, **_columns(file), "digest": None, "recipe": recipe, "version": version,
        }  # fmt: skip
        changes = ", ".join(f"{name} = excluded.{name}" for name in values if name != "source")
        try:
            (number,) = self._do(
                f"INSERT INTO files ({', '.join(values)}) VALUES ({', '.join('?' * len(values))}) "
                f"ON CONFLICT (source) DO UPDATE SET {changes} RETURNING number",
                (*values.values(),),
            ).fetchone()
        except sqlite3.IntegrityError:
            return None
        self.changes += 1
        return int(number)

    def seen(self, number: int) -> None:
        """Note that a file was met in this run, and needs nothing."""
        self._set(number, run=self.run)

    def started(self, number: int) -> None:
        """Note that a file was handed out."""
        self._set(number, state=State.RUNNING)

    def again(self, number: int, attempts: int, message: str) -> None:
        """Put a file back, to be tried again alone."""
        self._set(number, state=State.QUEUED, attempts=attempts, message=message)

    def ended(self, number: int, outcome: Outcome, attempts: int = 0) -> None:
        """Note how a file ended."""
        values: dict[str, object] = {"state": outcome.state, "attempts": attempts}
        values |= {"code": int(outcome.code), "digest": outcome.digest}
        if outcome.file is not None:
            values |= _columns(outcome.file)
        if not outcome.unchanged:
            facts = {
                "seconds": round(outcome.seconds, 3),
                "cpu_seconds": round(outcome.cpu_seconds, 3),
                "written": outcome.written,
                "findings": outcome.findings,
                "stages_ms": {name: round(ms, 1) for name, ms in outcome.stages_ms.items()},
            }
            values |= {"message": outcome.message, "facts": json.dumps(facts)}
        self._set(number, **values)

    def rows(self, *states: State) -> Iterator[Row]:
        """Rows in these states, in the order in which they were entered."""
        marks = ", ".join("?" * len(states))
        query = f"SELECT {COLUMNS} FROM files WHERE state IN ({marks}) ORDER BY number"
        yield from map(Row._make, self._do(query, states))

    def to_try_again(self) -> list[Row]:
        """The next rows of this run whose worker crashed, hung or ran out of memory."""
        query = (
            f"SELECT {COLUMNS} FROM files WHERE state = ? AND run = ? AND attempts > 0 "
            "ORDER BY attempts, number LIMIT 64"
        )
        return [*map(Row._make, self._do(query, (State.QUEUED, self.run)))]

    def failures(self) -> Counter[State]:
        """Number of files of this run that are failed or quarantined."""
        query = "SELECT state, COUNT(*) FROM files WHERE run = ? AND state IN (?, ?) GROUP BY state"
        values = (self.run, State.FAILED, State.QUARANTINED)
        return Counter({State(state): n for state, n in self._do(query, values)})

    def _set(self, number: int, **values: object) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self._do(f"UPDATE files SET {names} WHERE number = ?", (*values.values(), number))
        self.changes += 1

    def _do(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._base.execute(statement, values)
        except sqlite3.OperationalError as error:
            raise OutputError(
                f"{self.path}: the journal cannot be written ({error}); what is done is kept: make "
                "room, and run the same command again"
            ) from error

    def _one(self, where: str, *values: object) -> Row | None:
        found = self._do(f"SELECT {COLUMNS} FROM files WHERE {where}", values).fetchone()
        return found and Row(*found)


def _key(path: Path | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def _columns(file: FileStamp | None) -> dict[str, int | None]:
    return file._asdict() if file else dict.fromkeys(FileStamp._fields)


def holds_a_journal(folder: str) -> bool:
    """Whether a folder has the outputs of a batch."""
    with suppress(OSError):
        return os.path.isfile(os.path.join(folder, JOURNAL_NAME))
    return False

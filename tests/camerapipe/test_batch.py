"""Batches without worker processes: plan and journal."""

import os
from pathlib import Path

import pytest

from camerapipe.assembly import Request
from camerapipe.batch.disks import is_network_drive, memory_bytes
from camerapipe.batch.journal import JOURNAL_NAME, Journal
from camerapipe.batch.listing import Found, Listing
from camerapipe.batch.memory import parse_bytes
from camerapipe.batch.order import Asked, FileStamp, Order, Outcome, State, Work
from camerapipe.batch.planning import Planner
from camerapipe.batch.report import write_report
from camerapipe.batch.running import Batch
from camerapipe.batch.template import DEFAULT_TEMPLATE, Template
from camerapipe.errors import OutputError, RequestError
from camerapipe.recipe import resolve_with


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture of " + name.encode())


def listed(*sources, **options):
    options = {"output": "out", **options}
    return list(Listing(sources=[str(source) for source in sources], **options))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    touch(tmp_path / "in", "1.jpg", "2.jpg", "3.jpg")
    return tmp_path


def work(**values):
    recipe = values.pop("recipe", None)
    return Work(
        asked=Asked(request=Request(settings=resolve_with(recipe)), recipe=recipe), **values
    )


def planner(folder, journal, **values):
    asked = values.pop("work", work())
    template = Template(values.pop("template", DEFAULT_TEMPLATE), folder / "out",
                        with_map=values.pop("with_map", False))  # fmt: skip
    return Planner(
        journal=journal, template=template, work=asked,
        request_for=lambda recipe: Request(settings=resolve_with(recipe)), **values,
    )  # fmt: skip


class Here:
    """An engine that works in this process: `perform` writes the picture, unless told otherwise."""

    workers = 1

    def __init__(self, fail=lambda order: None):
        self.fail, self.orders = fail, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def outcomes(self, orders, *, alone=False):
        for order in orders:
            self.orders.append(order)
            found = self.fail(order)
            if found is None:
                assert order.overwrite or not order.outputs.picture.exists()
                order.outputs.picture.parent.mkdir(exist_ok=True)
                order.outputs.picture.write_bytes(b"bokeh")
                file = FileStamp.of(order.source)
                digest = Path(order.source).read_bytes()[:16]
                found = Outcome(
                    state=State.DONE, digest=digest, file=file, written=("picture",),
                    unchanged=digest == order.known_digest,
                )  # fmt: skip
            yield order, found
            yield None


def run(folder, fail=lambda order: None, retry=1, **values):
    """One run over the folder; sources of the orders, reasons, and the batch."""
    engine, reasons = Here(fail), {}
    with Journal(folder / "out" / JOURNAL_NAME) as journal:
        plan = planner(folder, journal, **values)
        usual = plan.plan

        def noted(found):
            for due in usual(found):
                reasons[Path(due.order.source).name] = due.reason
                yield due

        plan.plan = noted
        batch = Batch(planner=plan, engine=engine, retry=retry)
        batch.run(listed(folder / "in", is_output=journal.is_output))
        rows = {Path(os.fsdecode(row.source)).name: row for row in journal.rows(*State)}
    return [Path(order.source).name for order in engine.orders], reasons, rows, batch


def test_only_what_is_missing_or_changed_is_done_again(folder):
    assert run(folder)[0] == ["1.jpg", "2.jpg", "3.jpg"]
    done, reasons, _, batch = run(folder)
    assert done == [] and reasons == {} and batch.planner.fresh == 3
    (folder / "out" / "1_bokeh.jpg").unlink()
    (folder / "in" / "2.jpg").write_bytes(b"another picture of another size")
    (folder / "in" / "3.recipe.toml").write_text(
        "format_version = 1\n[params.radius]\nstrength=4\n"
    )
    assert run(folder)[1] == {
        "1.jpg": "output missing", "2.jpg": "file changed", "3.jpg": "recipe changed",
    }  # fmt: skip
    assert run(folder)[0] == []
    (folder / "in" / "3.recipe.toml").unlink()
    assert run(folder)[1] == {"3.jpg": "recipe changed"}


def test_a_touched_file_and_verify_read_but_do_not_render(folder):
    run(folder)
    os.utime(folder / "in" / "1.jpg", ns=(1, 1))
    (folder / "in" / "2.jpg").write_bytes(b"picture of changed with the same size"[:16])
    os.utime(folder / "in" / "2.jpg", ns=(2, 2))
    done, reasons, rows, _ = run(folder)
    assert reasons == {"1.jpg": "file changed", "2.jpg": "file changed"}
    assert rows["1.jpg"].state == State.DONE and rows["1.jpg"].mtime_ns == 1
    assert run(folder)[0] == []
    assert set(run(folder, verify=True)[1].values()) == {"to be verified"}


def test_failed_files_are_due_again_and_quarantined_ones_on_demand(folder):
    def fail(order):
        if order.source.endswith("1.jpg"):
            return Outcome(state=State.FAILED, message="bad")
        if order.source.endswith("2.jpg"):
            return Outcome(state=State.FAILED, message="crash", fatal=True)
        return None

    done, _, rows, batch = run(folder, fail)
    assert done == ["1.jpg", "2.jpg", "3.jpg", "2.jpg"]  # the second attempt comes last
    assert [rows[name].state for name in sorted(rows)] == ["failed", "quarantined", "done"]
    assert batch.counts == {State.FAILED: 1, State.QUARANTINED: 1, State.DONE: 1}
    assert run(folder, fail, retry=0)[0] == ["1.jpg"]
    assert run(folder, retry_quarantined=True)[0] == ["1.jpg", "2.jpg"]
    assert run(folder, retry_quarantined=True)[0] == []


def test_what_was_handed_out_when_the_process_was_killed_is_done_again(folder):
    with Journal(folder / "out" / JOURNAL_NAME) as journal:
        orders = [due.order for due in planner(folder, journal).plan(listed(folder / "in"))]
        journal.started(orders[0].number)
        orders[0].outputs.picture.write_bytes(b"written, but not noted as done")
    done, reasons, _, _ = run(folder)
    assert done == ["1.jpg", "2.jpg", "3.jpg"] and set(reasons.values()) == {"interrupted"}


def test_outputs_that_are_not_in_the_journal_need_overwrite(folder):
    touch(folder / "out", "1_bokeh.jpg")
    done, _, rows, _ = run(folder)
    assert done == ["2.jpg", "3.jpg"]
    assert rows["1.jpg"].state == "failed" and "--overwrite" in rows["1.jpg"].message
    assert run(folder)[0] == []  # it is still not ours
    assert run(folder, overwrite=True)[0] == ["1.jpg"]
    assert (folder / "out" / "1_bokeh.jpg").read_bytes() == b"bokeh"
    assert run(folder)[0] == []


def test_names_that_collide_are_told_apart_and_stay(folder):
    touch(folder / "in", "a/1.jpg", "b/1.jpg")
    flat = {"template": "{stem}_bokeh{ext}"}
    with Journal(folder / "out" / JOURNAL_NAME) as journal:
        plan = planner(folder, journal, **flat)
        found = listed(folder / "in", recursive=True)
        first = {due.order.source: due.order.outputs.picture for due in plan.plan(found)}
    assert len(set(first.values())) == 5 and first[str(folder / "in/1.jpg")].name == "1_bokeh.jpg"
    with Journal(folder / "out" / JOURNAL_NAME) as journal:
        plan = planner(folder, journal, **flat)
        again = {due.order.source: due.order.outputs.picture for due in plan.plan(found[::-1])}
    assert again == first


def test_a_file_named_twice_is_done_once(folder):
    with Journal(folder / "out" / JOURNAL_NAME) as journal:
        plan = planner(folder, journal)
        assert len(list(plan.plan(listed(folder / "in") * 2))) == 3 and plan.seen == 3


def test_a_map_that_was_not_written_does_not_make_a_file_due(folder):
    run(folder, with_map=True)
    assert run(folder, with_map=True)[0] == []
    assert set(run(folder)[1].values()) == {"other outputs"}


def test_a_recipe_that_cannot_be_used_fails_its_file_only(folder):
    (folder / "in" / "2.recipe.toml").write_text("strength = 3")
    done, _, rows, _ = run(folder)
    assert done == ["1.jpg", "3.jpg"] and rows["2.jpg"].state == "failed"
    assert "2.recipe.toml" in rows["2.jpg"].message


def test_stopping_hands_out_nothing_further(folder):
    with Journal(folder / "out" / JOURNAL_NAME) as journal:
        batch = Batch(planner=planner(folder, journal), engine=Here())
        batch.observe = lambda ended: batch.stop()
        batch.run(listed(folder / "in"))
        states = [row.state for row in journal.rows(*State)]
    assert states == ["done", "queued", "queued"]
    assert run(folder)[0] == ["2.jpg", "3.jpg"]
    with pytest.raises(KeyboardInterrupt):
        batch.stop(drain=False)


def test_a_dry_journal_leaves_nothing_behind(folder):
    path = folder / "out" / JOURNAL_NAME
    with Journal(path, dry=True) as journal:
        assert len(list(planner(folder, journal).plan(listed(folder / "in")))) == 3
    assert not path.exists()
    run(folder)
    before = path.read_bytes()
    with Journal(path, dry=True) as journal:
        assert list(planner(folder, journal).plan(listed(folder / "in"))) == []
    assert path.read_bytes() == before


def test_one_process_at_a_time_has_a_journal(tmp_path):
    with (
        Journal(tmp_path / "j.sqlite"),
        pytest.raises(OutputError, match="another batch has this journal"),
    ):
        Journal(tmp_path / "j.sqlite")
    (tmp_path / "text").write_text("no database, but a text of some length " * 30)
    with pytest.raises(OutputError, match="is no journal"):
        Journal(tmp_path / "text")


def test_names_of_any_bytes_are_kept(tmp_path):
    source = os.fsdecode(b"/in/\xff\n.jpg")
    (outputs, *_) = Template(DEFAULT_TEMPLATE, "/out").candidates(Found(source, source[4:]))
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.claim(source, outputs, None, recipe=b"", version="1", owned=True)
        assert os.fsdecode(journal.find(source).source) == source
        assert journal.is_output(str(outputs.picture))


def test_disks_and_memory(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/sda / ext4 rw 0 0\nhost:/x {os.path.realpath(tmp_path)}/with\\040space nfs4 rw 0 0\n"
    )
    assert is_network_drive(tmp_path / "with space" / "folder", mounts)
    assert not is_network_drive(tmp_path, mounts)
    assert memory_bytes() > 1 << 26
    assert (
        parse_bytes("--memory", "1.5G") == 3 << 29 and parse_bytes("--memory", "64 MiB") == 1 << 26
    )
    for wrong in ("4X", "", "0G", "-1G"):
        with pytest.raises(RequestError, match="--memory"):
            parse_bytes("--memory", wrong)


def test_an_order_and_its_outcome_are_small(folder):
    import pickle

    order = Order(number=1, source="/in/1.jpg", outputs=next(
        Template(DEFAULT_TEMPLATE, "/out").candidates(Found("/in/1.jpg", "1.jpg"))))  # fmt: skip
    assert len(pickle.dumps(order)) < 1000


def test_a_report_has_failures_first_and_pages(folder, monkeypatch):
    monkeypatch.setattr("camerapipe.batch.report.ROWS", 2)

    def fail(order):
        name = Path(order.source).name
        failed = Outcome(state=State.FAILED, message="<b>broken</b>", fatal=name == "3.jpg")
        return failed if name != "1.jpg" else None

    run(folder, fail)
    pages = folder / "out" / "report"
    touch(pages, "page-9.html", "thumbnails/001/1-after.jpg")
    with Journal(folder / "out" / JOURNAL_NAME) as journal:
        first = write_report(journal, pages, lambda source: f"camerapipe batch '{source}'")
    assert sorted(path.name for path in pages.glob("*.html")) == ["index.html", "page-2.html"]
    text, more = first.read_text(), (pages / "page-2.html").read_text()
    assert text.index("quarantined</span>") < text.index("failed</span>")
    assert "&lt;b&gt;broken" in text and "<b>" not in text and "3.jpg&#x27;" in text
    assert "1.jpg" in more and 'href="../1_bokeh.jpg"' in more
    assert 'src="thumbnails/001/1-after.jpg"' in more and "page 2 of 2" in more


def test_a_paused_list_of_files_is_committed_before_it_is_handed_out(folder):
    """Rows are on the disk before the first order of their group is."""
    path, seen = folder / "out" / JOURNAL_NAME, []

    def fail(order):
        copy = folder / "copy.sqlite"
        for ending in ("", "-wal"):
            if Path(f"{path}{ending}").exists():
                Path(f"{copy}{ending}").write_bytes(Path(f"{path}{ending}").read_bytes())
        with Journal(copy) as journal:
            seen.append(len(list(journal.rows(*State))))

    run(folder, fail)
    assert seen == [3, 3, 3]

"""Batches without worker processes: listing, names, recipes beside photographs, plan, journal."""

import io
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from camerapipe.assembly import Request
from camerapipe.batch.disks import is_network_drive, memory_bytes
from camerapipe.batch.journal import JOURNAL_NAME, Journal
from camerapipe.batch.listing import Found, Listing, Shard, names_in
from camerapipe.batch.memory import parse_bytes
from camerapipe.batch.order import Asked, FileStamp, Order, Outcome, State, Work
from camerapipe.batch.planning import Planner
from camerapipe.batch.report import write_report
from camerapipe.batch.running import Batch
from camerapipe.batch.sidecar import layered
from camerapipe.batch.template import DEFAULT_TEMPLATE, Template
from camerapipe.errors import OutputError, RequestError
from camerapipe.ingest.folders import Pairs
from camerapipe.recipe import Recipe, RecipeError, resolve_with


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture of " + name.encode())


def listed(*sources, **options):
    options = {"output": "out", **options}
    return list(Listing(sources=[str(source) for source in sources], **options))


def names(found):
    return [Path(each.relative).as_posix() for each in found]


# Listing


def test_a_folder_comes_in_natural_order_without_strays(tmp_path):
    touch(tmp_path, "IMG_10.jpg", "img_2.jpg", "IMG_1.HEIC", "notes.txt", ".hidden.jpg", "a/b.jpg")
    assert names(listed(tmp_path)) == ["IMG_1.HEIC", "img_2.jpg", "IMG_10.jpg"]
    assert names(listed(tmp_path, recursive=True))[3:] == ["a/b.jpg"]
    assert names(listed(tmp_path, include=["*.HEIC", "a/*"], recursive=True)) == [
        "IMG_1.HEIC", "a/b.jpg",
    ]  # fmt: skip


def test_pairs_and_files_of_one_stem(tmp_path):
    touch(tmp_path, "1.dng", "1.JPG", "2.heic", "2.png", "3.jpg")
    found = {pairs: listed(tmp_path, pairs=pairs) for pairs in Pairs}
    assert names(found[Pairs.RAW]) == ["1.dng", "2.heic", "2.png", "3.jpg"]
    assert names(found[Pairs.JPEG]) == ["1.JPG", "2.heic", "2.png", "3.jpg"]
    assert names(found[Pairs.BOTH])[:2] == ["1.JPG", "1.dng"]
    assert [each.shares_stem for each in found[Pairs.RAW]] == [False, True, True, False]
    assert [each.shares_stem for each in found[Pairs.BOTH]][:2] == [True, True]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*.jpg", ["1.jpg"]), ("a/*.jpg", ["2.jpg"]), ("**/*.jpg", ["1.jpg", "a/2.jpg", "a/b/3.jpg"]),
     ("?/b/*", ["a/b/3.jpg"])],
)  # fmt: skip
def test_globs(pattern, expected, tmp_path):
    touch(tmp_path, "1.jpg", "a/2.jpg", "a/b/3.jpg", "a/2.txt")
    assert names(listed(tmp_path / pattern)) == expected


def test_a_glob_without_files_and_an_unreadable_folder_are_told(tmp_path, monkeypatch):
    problems = []
    assert listed(tmp_path / "*.jpg", problem=problems.append) == []

    def fails(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", fails)
    assert listed(tmp_path, problem=problems.append) == []
    assert len(problems) == 2 and "no picture" in problems[0] and "Permission" in problems[1]


def test_own_outputs_are_never_inputs(tmp_path):
    touch(tmp_path, "1.jpg", "out/1_bokeh.jpg", "earlier/1_bokeh.jpg", f"earlier/{JOURNAL_NAME}")
    assert names(listed(tmp_path, output=tmp_path / "out", recursive=True)) == ["1.jpg"]
    touch(tmp_path, "1_bokeh.jpg")
    own = str(tmp_path / "1_bokeh.jpg")
    assert names(listed(tmp_path, is_output=lambda path: path == own)) == ["1.jpg"]


def test_a_link_to_a_folder_is_not_followed(tmp_path):
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert names(listed(tmp_path, recursive=True)) == ["a/1.jpg"]


@pytest.mark.parametrize("separator", [b"\n", b"\0"])
def test_a_list_is_read_in_pieces(separator):
    wanted = ["a/1.jpg", "/b/2.jpg", "../c d/3.jpg", os.fsdecode(b"\xff.jpg")] * 3000
    data = separator.join(map(os.fsencode, wanted)) + separator * 2
    assert list(names_in(io.BytesIO(data), separator)) == wanted
    found = listed("-", names=io.BytesIO(data), separator=separator)
    assert [each.relative for each in found[:3]] == ["a/1.jpg", "b/2.jpg", "c d/3.jpg"]
    assert found[1].path == "/b/2.jpg" and os.path.isabs(found[0].path)


def test_something_else_than_a_list_is_refused():
    with pytest.raises(RequestError, match="one path a line"):
        list(names_in(io.BytesIO(b"x" * 200_000), b"\n"))


def test_names_never_lie_in_memory_together():
    class Endless(io.RawIOBase):
        left = 30_000

        def read1(self, size=-1):
            self.left -= 1000
            return b"".join(b"folder/%08d.jpg\n" % (self.left + k) for k in range(1000))

    found = iter(Listing(sources=["-"], output="out", names=Endless()))
    tracemalloc.start()
    for _ in zip(range(10_000), found, strict=False):
        pass
    early = tracemalloc.get_traced_memory()[1]
    for _ in zip(range(19_000), found, strict=False):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < early + 100_000


def test_shards_are_a_partition_by_path(tmp_path):
    touch(tmp_path, *(f"{k}.jpg" for k in range(40)))
    shards = [names(listed(tmp_path, shard=Shard.parse(f"{k}/3"))) for k in (1, 2, 3)]
    assert sorted(sum(shards, [])) == sorted(names(listed(tmp_path)))
    assert all(4 < len(shard) < 24 for shard in shards)
    for wrong in ("0/3", "4/3", "1", "a/b", "-1/2"):
        with pytest.raises(RequestError, match="--shard"):
            Shard.parse(wrong)


# Names of outputs


def candidates(found, text=DEFAULT_TEMPLATE, **options):
    outputs = Template(text, "/out", **options).candidates(found)
    return [each.picture.as_posix() for each in outputs]


def test_names_of_outputs():
    found = Found("/in/Day 1/IMG_1.HEIC", "Day 1/IMG_1.HEIC")
    first, told, last = candidates(found, format_name="jpeg")
    assert first == "/out/Day 1/IMG_1_bokeh.jpg" and told == "/out/Day 1/IMG_1_heic_bokeh.jpg"
    assert last.startswith("/out/Day 1/IMG_1_heic_") and last.endswith("_bokeh.jpg")
    assert candidates(replace(found, shares_stem=True))[0] == "/out/Day 1/IMG_1_heic_bokeh.heic"
    assert candidates(Found("/in/1.DNG", "1.DNG"), "{parent}-{stem}.{suffix}{ext}")[0] == (
        "/out/in-1.dng.jpg"
    )
    (outputs, *_) = Template(DEFAULT_TEMPLATE, "/out", with_map=True).candidates(found)
    assert outputs.map.as_posix() == "/out/Day 1/IMG_1_map.tiff"


@pytest.mark.parametrize(
    ("text", "message"),
    [("{stme}{ext}", "did you mean 'stem'"), ("{folder}{ext}", "expected a name with {stem}"),
     ("{stem}.jpg", "ends with {ext}"), ("../{stem}{ext}", "below the folder"),
     ("/a/{stem}{ext}", "below the folder"), ("{stem{ext}", "brace|{stem"),
     ("{}{stem}{ext}", "{}")],
)  # fmt: skip
def test_templates_that_are_refused(text, message):
    with pytest.raises(RequestError, match=message):
        Template(text, "/out")


# Recipes beside photographs


def test_a_recipe_beside_a_photograph_counts_key_by_key():
    common = Recipe(
        look="portrait", params={"radius": {"strength": 3.0, "focus_ramp": 1.5}},
        size_px=(4000, 3000), focus_point=(400.0, 300.0),
    )  # fmt: skip
    own = Recipe(params={"radius": {"strength": 5.0}}, size_px=(400, 300))
    found = layered(own, common)
    assert found.look == "portrait" and found.size_px == (400, 300)
    assert found.params == {"radius": {"strength": 5.0, "focus_ramp": 1.5}}
    assert found.focus_point == pytest.approx((39.55, 29.55), abs=0.01)
    assert layered(own, None) == own
    assert layered(replace(own, focus_point=(1.0, 2.0)), common).focus_point == (1, 2)
    with pytest.raises(RecipeError, match="aspect ratios"):
        layered(replace(own, size_px=(300, 400)), common)


# Journal and plan


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

"""Batches before they run: listing, names of outputs, recipes beside photographs."""

import io
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from camerapipe.batch.journal import JOURNAL_NAME
from camerapipe.batch.listing import Found, Listing, Shard, names_in
from camerapipe.batch.sidecar import layered
from camerapipe.batch.template import DEFAULT_TEMPLATE, Template
from camerapipe.errors import RequestError
from camerapipe.ingest.folders import Pairs
from camerapipe.recipe import Recipe, RecipeError


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

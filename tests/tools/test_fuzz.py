"""Fuzzing: mutants are made again by their numbers, and a sample of them does no harm."""

import pytest

SERIES, SAMPLE = 7, range(30)


@pytest.fixture(scope="module")
def seeds(tool):
    return tool("measures.mutants").made_seeds()


def test_mutants_are_told_by_their_numbers(tool, seeds):
    mutant = tool("measures.mutants").mutant
    first, again = ([mutant(seeds, SERIES, number) for number in SAMPLE] for _ in range(2))
    assert first == again
    assert len({made.data for made in first}) == len(SAMPLE)
    assert first != [mutant(seeds, SERIES + 1, number) for number in SAMPLE]


def test_whole_files_of_every_role_are_made(seeds):
    assert {role for seed in seeds for role in seed.roles} == {
        "photo", "map", "mask", "depth", "embedded"
    }  # fmt: skip
    assert {seed.name.rpartition(".")[2] for seed in seeds} >= {"jpg", "png", "tif", "dng", "webp"}


def test_chunks_of_a_png_get_right_checksums(tool, seeds):
    whole = next(seed.data for seed in seeds if seed.name == "sRGB.png")
    broken = bytearray(whole)
    broken[29:33] = bytes(4)  # the checksum of the header
    assert tool("measures.mutants")._checksummed(broken) == whole


def test_a_sample_of_damaged_files_is_used_or_refused_with_one_line(tool, seeds, tmp_path):
    counts = tool("fuzz").fuzz(seeds, SERIES, SAMPLE, tmp_path)
    wrong = [path.read_text() for path in tmp_path.glob("*.txt")]
    assert not wrong, wrong
    assert sum(counts.values()) == len(SAMPLE) and counts["done"] and counts["refused"]


def test_what_goes_wrong_is_kept(tool, seeds, tmp_path, monkeypatch):
    fuzz, tries = tool("fuzz"), tool("measures.tries")
    monkeypatch.setattr(tries.Trier, "try_data", lambda *_: tries.Tried("crash", "it did"))
    assert fuzz.fuzz(seeds, SERIES, range(1), tmp_path) == {"crash": 1}
    assert (tmp_path / "7-0").read_bytes() == fuzz.mutant(seeds, SERIES, 0).data

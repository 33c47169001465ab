import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.advice import WORDS, AdviceParams, AdviceState, advice_of, advise
from stages.blur import BlurParams, survey
from stages.capture_check import CheckParams, blur_statistics, judge
from stages.findings import Finding, Severity
from stages.tone import linearise
from stages.view import ViewParams, view_at, working_grid

PARAMS = AdviceParams()
SEVERITIES = {
    "too_dark_or_noisy": Severity.BLOCKING,
    "too_few_edges": Severity.BLOCKING,
    "no_sharp_subject": Severity.BLOCKING,
    "shaken": Severity.WARNING,
    "everything_in_focus": Severity.WARNING,
    "defocus_weak": Severity.WARNING,
    "defocus_present": Severity.INFO,
}
VERDICTS = st.sampled_from(sorted(WORDS))
GAPS_MS = st.floats(5, 400)


def findings(verdict):
    return (Finding(verdict, SEVERITIES[verdict], "what was seen"),)


def play(verdicts, gap_ms, params=PARAMS):
    """Advice shown at every frame, with its time."""
    state, shown = AdviceState(), []
    for index, verdict in enumerate(verdicts):
        state, advice = advise(state, findings(verdict), index * gap_ms, params)
        shown.append((index * gap_ms, advice))
    return shown


def changes(shown):
    return [(t, b) for (_, a), (t, b) in zip(shown, shown[1:], strict=False) if a.code != b.code]


def hold_of(advice):
    return PARAMS.urgent_hold_ms if advice.severity is Severity.BLOCKING else PARAMS.hold_ms


def test_every_verdict_of_the_check_has_words():
    assert set(WORDS) == set(SEVERITIES)
    assert [advice_of(findings(verdict)).severity for verdict in SEVERITIES] == [
        *SEVERITIES.values()
    ]


def test_the_distance_is_that_of_the_lens():
    lens = Finding("hyperfocal", Severity.INFO, "far", 1.5, 0.684)
    everything = findings("everything_in_focus")
    assert advice_of((*everything, lens)).text == "move closer than 0.68 m"
    assert advice_of(everything).text == "move closer"
    assert advice_of((*findings("defocus_present"), lens)).text == "good: shoot now"


def test_the_first_frame_is_advised_at_once():
    assert play(["shaken"], 33)[0][1].text == "hold still"


@given(st.lists(VERDICTS, min_size=2, max_size=80), GAPS_MS)
def test_advice_never_changes_faster_than_its_hold(verdicts, gap_ms):
    since = 0.0
    for time_ms, advice in changes(play(verdicts, gap_ms)):
        assert time_ms - since >= hold_of(advice) - 1e-6
        since = time_ms


@given(st.lists(VERDICTS, min_size=2, max_size=2, unique=True), st.integers(4, 200), GAPS_MS)
def test_findings_that_alternate_change_nothing(pair, length, gap_ms):
    shown = play([pair[index % 2] for index in range(length)], gap_ms)
    assert not changes(shown)


@given(st.lists(VERDICTS, max_size=40), VERDICTS, GAPS_MS)
def test_what_lasts_is_shown_within_its_hold(before, lasting, gap_ms):
    wanted = advice_of(findings(lasting))
    due_ms = max(hold_of(wanted), (PARAMS.least_frames - 1) * gap_ms)
    frames = int(due_ms / gap_ms) + 2
    assert play([*before, *[lasting] * frames], gap_ms)[-1][1].code == wanted.code


@given(st.lists(VERDICTS, min_size=1, max_size=60), GAPS_MS)
def test_only_what_a_frame_said_is_shown_and_the_past_is_not_touched(verdicts, gap_ms):
    said = {advice_of(findings(verdict)) for verdict in verdicts}
    assert {advice for _, advice in play(verdicts, gap_ms)} <= said
    assert play(verdicts, gap_ms) == play(verdicts, gap_ms)


def test_one_frame_in_six_that_differs_does_not_delay_a_change():
    verdicts = ["defocus_present"] * 10 + (["no_sharp_subject"] * 5 + ["defocus_weak"]) * 10
    assert play(verdicts, 33)[40][1].code == "refocus"


def test_what_stops_a_picture_is_said_sooner():
    calm = ["defocus_present"] * 60
    times = {}
    for verdict in ("no_sharp_subject", "everything_in_focus"):
        ((times[verdict], _),) = changes(play([*calm, *[verdict] * 60], 33))
    delay = {verdict: time - 60 * 33 for verdict, time in times.items()}
    for verdict, hold_ms in (
        ("no_sharp_subject", PARAMS.urgent_hold_ms),
        ("everything_in_focus", PARAMS.hold_ms),
    ):
        assert PARAMS.agreement * hold_ms - 33 <= delay[verdict] <= hold_ms + 33


def test_wrong_use_is_refused():
    state, _ = advise(AdviceState(), findings("shaken"), 100.0, PARAMS)
    with pytest.raises(ValueError, match="advice: time_ms must not go backwards; got 99"):
        advise(state, findings("shaken"), 99.0, PARAMS)
    with pytest.raises(ValueError, match="advice: findings have no verdict"):
        advise(state, (), 101.0, PARAMS)


def statistics_of(linear, params):
    """Blur statistics on the view of the estimation, as the camera measures them."""
    grid = working_grid(linear, ViewParams())
    view = view_at(linear, grid)
    return blur_statistics(view, survey(view, BlurParams()), grid, params)


def test_advice_follows_a_focus_sweep(shared_data):
    """A person turns the focus through a scene and stops for a second at each of ten positions."""
    state, shown = AdviceState(), []
    for index in range(10):
        encoded = cv2.imread(str(shared_data / f"sequence/focus_sweep_pcb/pcb_00{index}.jpg"))
        statistics = statistics_of(linearise(encoded[:, :, ::-1].copy()), CheckParams())
        found = judge(statistics, None, CheckParams())
        for frame in range(30):
            state, advice = advise(state, found, 1000 * index + 33 * frame, PARAMS)
        shown.append(advice.code)
    assert shown[0] == "refocus" and shown[-2:] == ["refocus", "refocus"]
    assert set(shown[3:6]) == {"shoot"}
    assert len([1 for a, b in zip(shown, shown[1:], strict=False) if a != b]) == 2


def gate(verdicts, gap_ms=50):
    """Whether the picture is left untouched, at every frame."""
    state, held = AdviceState(), []
    for index, verdict in enumerate(verdicts):
        state, _ = advise(state, findings(verdict), index * gap_ms, PARAMS)
        held.append(state.blocked)
    return held


def test_single_frames_neither_close_nor_open_the_gate():
    good, bad = "defocus_present", "no_sharp_subject"
    seldom = [bad if k % 7 == 6 else good for k in range(60)]
    assert not any(gate(seldom))
    assert all(gate([good if each == bad else bad for each in seldom]))


@pytest.mark.parametrize("others", [["no_sharp_subject"], ["no_sharp_subject", "too_few_edges"]])
def test_the_gate_follows_what_stays_whatever_blocks(others):
    blocking = others * (20 // len(others))
    held = gate(["defocus_present"] * 20 + blocking + ["defocus_weak", "everything_in_focus"] * 15)
    closed, opened = held.index(True), len(held) - held[::-1].index(True)
    assert 20 < closed <= 20 + PARAMS.urgent_hold_ms / 50
    assert 40 < opened <= 40 + PARAMS.hold_ms / 50


def test_the_first_frame_sets_the_gate():
    assert gate(["too_few_edges"]) == [True] and gate(["shaken"]) == [False]

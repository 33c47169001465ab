"""The viewfinder in a real browser: every control is moved, every key pressed."""

import json
import re

import cv2
import pytest

from camerapipe.runtime import versions
from camerapipe.stream.replay import Recording
from camerapipe.stream.sinks import App
from camerapipe.synthetic import synthetic_frame
from stages.bokeh import RadiusParams

FRAMES, DIFFERENT = 3600, 15
PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def server(start, tmp_path_factory):
    """A server with a small clip; its recordings are in `server.folder`."""
    folder = tmp_path_factory.mktemp("viewfinder")
    clip = folder / "clip.mp4"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"mp4v"), 30, (240, 136))
    pictures = [synthetic_frame("pan", k, (136, 240)).picture for k in range(DIFFERENT)]
    for k in range(FRAMES):
        writer.write(cv2.cvtColor(pictures[k % DIFFERENT], cv2.COLOR_RGB2BGR))
    writer.release()
    server = start("--viewfinder", clip, "--recordings", folder / "kept")
    server.folder = folder / "kept"
    return server


@pytest.fixture
def page(server, new_page):
    page = new_page(server.at("/viewfinder"))
    page.wait_for_selector("#source option", state="attached")
    return page


def run(page, source="given", rung="draft"):
    page.select_option("#source", source)
    page.select_option("#rung", rung)
    page.check("#force")
    page.click("#start")
    page.wait_for_selector("#advice:not([hidden])")


def reads(page, selector, text):
    """Wait until an element says something."""
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent.match(text)",
        arg=[selector, text],
    )


def test_every_control_acts(server, page, no_serious_fault):
    assert page.text_content("#source option") == "clip.mp4"
    no_serious_fault(page)
    run(page)
    reads(page, "#reason", "chosen by hand")
    assert page.evaluate("document.getElementById('picture').width") == 240
    page.fill("#strength", "6")
    reads(page, "#strength-value", "6.0")
    page.fill("#budget", "150")
    page.select_option("#rung", "")
    reads(page, "#reason", "expected .* ms of 150")
    page.uncheck("#limited")
    reads(page, "#reason", "no budget")
    assert page.is_disabled("#budget")
    page.select_option("#rung", "draft")
    page.uncheck("#force")
    page.click("#map")
    page.wait_for_selector("#map-layer:not([hidden])")
    page.hover("#screen")
    reads(page, "#readout", r"sigma \d")
    page.click("#peaking")
    page.wait_for_selector("#peaking-layer:not([hidden])")
    reads(page, "#numbers", "Dropped at the door")
    assert page.locator("#bars li").count() > 3
    no_serious_fault(page)
    page.fill("#focal", "50")
    page.fill("#f-number", "2")
    page.select_option("#sensor", "aps-c")
    page.fill("#distance", "1.5")
    page.press("#distance", "Tab")
    reads(page, "#optics", "Blur of the background")
    page.fill("#distance", "0.001")
    page.press("#distance", "Tab")
    reads(page, "#notes", "distance must exceed")
    page.click("#notes button")
    page.fill("#distance", "1.5")
    page.select_option("#profile", "large-phone")
    reads(page, "#numbers", "Device")
    page.click("#help")
    page.click("#help-dialog button")
    page.click("#stop")
    reads(page, "#welcome-state", "The last run: [1-9]")


def test_every_key_acts(page):
    page.select_option("#rung", "draft")
    page.keyboard.press("s")
    page.wait_for_selector("#advice:not([hidden])")
    for key, layer in (("m", "#map-layer"), ("p", "#peaking-layer")):
        page.keyboard.press(key)
        page.wait_for_selector(f"{layer}:not([hidden])")
        page.keyboard.press(key)
        page.wait_for_selector(layer, state="hidden")
    for key, value, text in (
        ("]", "#strength-value", "2.5"), ("[", "#strength-value", "2.0"),
        (".", "#budget-value", "71 ms"), (",", "#budget-value", "66 ms"),
    ):  # fmt: skip
        page.keyboard.press(key)
        reads(page, value, text)
    page.keyboard.press("?")
    assert page.is_visible("#help-dialog")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.wait_for_selector("#record[aria-pressed=true]")
    page.keyboard.press("r")
    page.wait_for_selector("#record[aria-pressed=false]")
    with page.expect_popup() as popup:
        page.keyboard.press(" ")
    popup.value.wait_for_selector("body[data-state=open]")
    page.keyboard.press("s")
    reads(page, "#welcome-state", "The last run")


def test_what_is_recorded_replays_to_the_byte_and_the_trace_is_shown(server, page):
    run(page)
    page.click("#record")
    reads(page, "#numbers", "Recorded[1-9]")
    page.fill("#strength", "5")
    reads(page, "#numbers", "Recorded.*frames, [1-9]")  # changes of controls
    page.click("#record")
    reads(page, "#notes", "replay:")
    folder = page.text_content("#notes").partition("replay:")[2].strip("×")
    recording = Recording.open(server.folder / folder.rpartition("/")[2])
    assert (
        recording.recorded_at(max(recording.shown)).request.settings.params[RadiusParams].strength
        == 5
    )
    found = recording.replay(App(lambda shown: None), versions=versions())
    assert found.frames > 1 and not found.differing
    with page.expect_download() as download:
        page.click("#trace")
    trace = json.loads(download.value.path().read_bytes())
    assert trace["otherData"]["run"]["source"].endswith("clip.mp4")
    with page.expect_popup() as popup:
        page.click("#report")
    popup.value.wait_for_selector("h1")
    assert popup.value.locator("canvas, svg").count() > 0
    page.click("#stop")


def test_a_simulated_camera_is_adjusted_and_takes_a_still(server, page, no_serious_fault):
    page.select_option("#source", "simulate:portrait")
    assert page.input_value("#profile") == "everyday-phone"
    run(page, "simulate:portrait")
    page.wait_for_selector("#camera-panel:not([hidden])")
    reads(page, "#af-state", "scanning|focused")
    no_serious_fault(page)
    page.fill("#focus", "0.5")
    reads(page, "#focus-value", "0.40 m")  # 2.5 of 5 dioptres
    page.fill("#exposure", "0")
    reads(page, "#exposure-value", "1/100000 s")
    page.fill("#iso", "1")
    assert not page.is_checked("#iso-auto")
    page.check("#exposure-auto")
    page.fill("#compensation", "-1.5")
    reads(page, "#compensation-value", "-1.5 EV")
    page.check("#awb-lock")
    reads(page, "#awb-state", "locked")
    page.click("#screen")
    assert page.is_checked("#focus-auto")
    reads(page, "#af-state", "scanning")
    with page.expect_popup() as popup:
        page.click("#shutter")
    popup.value.wait_for_selector("#name:has-text('simulated-')")
    popup.value.close()
    page.click("#stop")
    reads(page, "#welcome-state", "The last run")
    assert not page.is_visible("#camera-panel")


def test_the_camera_of_the_browser(page):
    run(page, "camera")
    page.wait_for_function(
        "() => parseInt(document.querySelector('#numbers dd')?.textContent) >= 3"
    )
    assert page.evaluate("document.getElementById('picture').width") > 240
    page.click("#stop")
    reads(page, "#welcome-state", "The last run")
    assert not page.evaluate("document.getElementById('camera').srcObject")


def test_a_reload_and_a_second_tab(page, server, new_page):
    run(page)
    other = page.context.new_page()
    other.goto(server.origin + "/viewfinder")
    other.wait_for_selector("#source option", state="attached")
    run(other)
    page.reload()
    page.wait_for_selector("#source option", state="attached")
    assert page.get_attribute("body", "data-state") == "idle"
    shown = int(re.search(r"\d+", other.text_content("#numbers dd"))[0])
    other.wait_for_function(
        "least => parseInt(document.querySelector('#numbers dd').textContent) > least", arg=shown
    )
    run(page)
    other.close()


def test_a_phone_has_all_of_it(server, new_page, no_serious_fault):
    page = new_page(server.at("/viewfinder"), **PHONE)
    page.wait_for_selector("#source option", state="attached")
    run(page)
    no_serious_fault(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#distance").scroll_into_view_if_needed()
    assert page.is_visible("#distance")

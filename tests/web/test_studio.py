"""The studio in a real browser: as a person uses it; `test_studio_page` has every control."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import camerapipe
from stages.tone import to_codes

SHAPE = (240, 320)


@pytest.fixture(scope="module")
def server(start, photographs):
    return start(photographs)


@pytest.fixture
def page(server, new_page):
    """The page with its photograph, in the state in which it is opened."""
    page = new_page(server.link)
    wait(page)
    while page.is_enabled("#undo"):
        page.click("#undo")
        wait(page)
    return page


def wait(page):
    """Wait until the newest state is on the screen."""
    page.wait_for_selector("body[data-state=open]")
    page.wait_for_timeout(50)  # the answer to what was done before
    page.wait_for_selector("body:not([data-rendering]):not([data-unsettled])")


def room_of(page):
    """Width and height that a whole photograph has on the stage, which has margins."""
    box = page.locator("#picture").bounding_box()
    return box["width"] - 24, box["height"] - 96


def stage_point(page, x, y):
    """Place of a pixel of the photograph on the page."""
    box, room = page.locator("#picture").bounding_box(), room_of(page)
    scale = min(room[0] / SHAPE[1], room[1] / SHAPE[0])
    left = box["x"] + 12 + (room[0] - SHAPE[1] * scale) / 2
    top = box["y"] + 12 + (room[1] - SHAPE[0] * scale) / 2
    return left + (x + 0.5) * scale, top + (y + 0.5) * scale


def drag(page, *points):
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()
    wait(page)


def export(page):
    page.click("#export")
    with page.expect_download() as download:
        page.click("#export-go")
    page.click("#export-close")
    return Path(download.value.path()).read_bytes()


def test_a_region_is_mended_and_exported(page, photographs, tmp_path):
    page.click("text=Sharp")
    drag(page, stage_point(page, 20, 20), stage_point(page, 80, 40))
    assert page.inner_text("#stroke-list").strip() == "Sharp"
    mended = export(page)
    page.click("#undo")
    wait(page)
    plain = export(page)
    usual = tmp_path / "usual.jpg"
    camerapipe.render(photographs / "one.png").save(usual)
    assert plain == usual.read_bytes() and mended != plain
    page.keyboard.press("Control+Shift+Z")
    wait(page)
    assert page.is_visible("#stroke-list")


def test_by_the_keyboard_alone(page):
    page.focus("#picture")
    for key in ("0", "s", " ", "ArrowRight", "ArrowRight", "ArrowDown", " "):
        page.keyboard.press(key)
    wait(page)
    assert page.inner_text("#stroke-list").strip() == "Sharp"
    for key in ("f", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    wait(page)
    assert "Focus point" in page.inner_text("#stroke-list")
    page.keyboard.press("v")  # before and after are compared again
    page.focus("#divider")
    before = page.get_attribute("#divider", "aria-valuenow")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#divider", "aria-valuenow") != before


def test_an_eraser_cuts_a_stroke(page):
    page.keyboard.press("b")
    drag(page, stage_point(page, 20, 220), stage_point(page, 160, 220))
    page.keyboard.press("e")
    drag(page, stage_point(page, 90, 210), stage_point(page, 90, 235))
    assert page.inner_text("#stroke-list").split() == ["Blurred", "Blurred"]
    page.click("text=Remove all")
    wait(page)
    assert not page.is_visible("#stroke-list")


def test_at_one_to_one_the_screen_has_the_pixels_of_the_result(page, photographs):
    page.click("#compare")  # the divider is not part of the result
    page.keyboard.press("1")
    wait(page)
    left, top = (
        12 + (room - size + 1) // 2 for room, size in zip(room_of(page), (320, 240), strict=True)
    )
    address = page.evaluate(
        """async ([left, top]) => {
             const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
             await frame();
             await frame();
             const part = new OffscreenCanvas(320, 240);
             part.getContext("2d").drawImage(document.querySelector("#picture"), -left, -top);
             return part.convertToBlob().then((blob) => blob.arrayBuffer())
               .then((bytes) => new Uint8Array(bytes).toBase64());
           }""",
        [left, top],
    )
    part = np.asarray(Image.open(io.BytesIO(base64.b64decode(address))).convert("RGB"))
    expected = to_codes(camerapipe.render(photographs / "one.png").image, 8)
    np.testing.assert_array_equal(part, expected)


def test_a_lost_connection_is_made_anew(server, new_page):
    page = new_page(server.link)
    sockets = []

    def through(socket):
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile("/studio/pictures/"), through)
    page.reload()
    wait(page)
    sockets[0].close(code=1011, reason="as if the network failed")
    page.wait_for_selector("#progress:has-text('Connection lost')")
    page.wait_for_selector("#progress", state="hidden")
    assert len(sockets) == 2
    number = page.locator("#controls input[type=number]").first
    number.fill("2.5")
    number.press("Enter")
    page.wait_for_selector("[aria-valuetext='2.5']")
    page.click("#undo")


def test_after_a_blocking_finding_going_on_is_one_click(server, new_page, photographs):
    page = new_page(server.link)
    wait(page)
    page.set_input_files("#file", photographs / "two.png")
    page.wait_for_selector(".note.blocking")
    assert not page.is_visible("#divider")
    page.click("text=Go on anyway")
    page.wait_for_selector(".note.blocking", state="hidden")
    page.wait_for_selector("#divider")


def test_a_folder_is_a_strip_with_verdicts(page, new_page):
    new_page.expected_errors = ["422"]
    assert "one.png" in page.inner_text("#name")
    for words in ("ready", "no blur", "unreadable"):
        page.wait_for_selector(f"#strip .chip:has-text('{words}')")
    page.click("#strip button:has-text('two.png')")
    page.wait_for_selector("#name:has-text('two.png')")
    assert page.get_attribute("#strip button:has-text('two.png')", "aria-current") == "true"
    page.click("#strip button:has-text('unreadable')")
    page.wait_for_selector(".note.error:has-text('zero.jpg: ')")

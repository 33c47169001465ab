"""The studio in a real browser: every control is moved, every key pressed, nothing is lost."""

import hashlib
import http.client
import zlib
from urllib.parse import parse_qs, urlsplit

import pytest

PHONE = {"viewport": {"width": 390, "height": 844}}
KEYS = "vfsbaneVmmcc+-01[]?"


@pytest.fixture(scope="module")
def server(start):
    return start()


@pytest.fixture
def page(server, new_page, photograph):
    page = new_page(server.link)
    page.set_input_files("#file", photograph)
    settled(page)
    return page


def settled(page):
    """Wait until the newest state is on the screen."""
    page.wait_for_selector("body[data-state=open]")
    page.wait_for_timeout(150)
    page.wait_for_selector("body:not([data-rendering])")


def strokes(page, count):
    """Wait until the list has so many strokes."""
    page.wait_for_function(
        "count => document.querySelectorAll('#stroke-list li').length === count", arg=count
    )


def pixels(page):
    """Digest of what the canvas shows."""
    page.wait_for_timeout(50)
    url = page.evaluate("document.getElementById('picture').toDataURL()")
    return hashlib.sha256(url.encode()).hexdigest()


def drawn(page, *, to=(0.7, 0.55)):
    """Draw a stroke with the mouse."""
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * to[0], box["y"] + box["height"] * to[1], steps=5)
    page.mouse.up()
    settled(page)


def test_every_slider_changes_the_picture_and_is_reset(page):
    page.click("#compare")
    sliders = page.locator("#controls input[type=range]")
    assert sliders.count() >= 9
    for k in range(sliders.count()):
        slider = sliders.nth(k)
        before = slider.input_value()
        top = slider.get_attribute("max")
        slider.fill(top)
        slider.dispatch_event("change")
        settled(page)
        row = page.locator(".control").nth(k)
        assert "changed" in row.get_attribute("class"), slider.get_attribute("id")
        assert float(slider.input_value()) == pytest.approx(float(top), abs=1e-3)
        row.locator("button.reset").click()
        settled(page)
        assert float(slider.input_value()) == pytest.approx(float(before))
    first = pixels(page)
    page.locator("#controls input[type=number]").first.fill("6")
    page.keyboard.press("Enter")
    settled(page)
    assert pixels(page) != first
    page.keyboard.press("Control+z")


def test_a_file_that_is_chosen_before_the_page_is_ready_is_opened(server, new_page, photograph):
    page = new_page(server.link)
    held = []
    page.route("**/studio/start", lambda route: held.append(route))
    with page.expect_request("**/studio/start"):
        page.reload(wait_until="commit")
    page.set_input_files("#file", photograph)
    page.wait_for_selector("#busy-text:has-text('flower.jpg')")
    held[0].continue_()
    settled(page)
    assert page.inner_text("#name") == "flower.jpg"


def test_a_recipe_is_applied_to_the_open_photograph(server, new_page, page):
    recipe = {
        "name": "mine.toml", "mimeType": "",
        "buffer": b"format_version = 1\n[params.radius]\nstrength = 5.0\n",
    }  # fmt: skip
    page.evaluate(
        """() => {
             const files = new DataTransfer();
             const text = "format_version = 1\\n[params.radius]\\nstrength = 5.0\\n";
             files.items.add(new File([text], "mine.toml"));
             dispatchEvent(new DragEvent("drop", { dataTransfer: files, cancelable: true }));
           }"""
    )
    page.wait_for_selector("#controls .changed [aria-valuetext='5']")
    page.click("#controls .changed label", click_count=2)  # resets it
    page.wait_for_selector("#controls [aria-valuetext='2']")
    empty = new_page(server.link)
    empty.set_input_files("#file", recipe)
    empty.wait_for_selector("#notes .error:has-text('Open a photograph first')")


def test_every_key_and_every_tool(page, no_serious_fault):
    page.focus("#picture")
    for key in KEYS:
        page.keyboard.press(key)
        if key == "?":
            assert page.is_visible("#help-dialog")
            page.keyboard.press("Escape")
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Control+s"):
        page.keyboard.press(key)
    assert page.is_visible("#export-dialog")
    no_serious_fault(page)
    page.click("#export-close")
    page.keyboard.press("0")
    page.keyboard.down("\\")
    page.keyboard.up("\\")
    for key, count in (("s", 1), ("b", 2), ("a", 3)):
        page.focus("#picture")
        page.keyboard.press(key)
        drawn(page)
        strokes(page, count)
    page.keyboard.press("e")
    drawn(page)
    for _ in range(4):
        page.keyboard.press("Control+z")
        settled(page)
    strokes(page, 0)
    assert page.is_disabled("#undo")
    for _ in range(2):
        page.keyboard.press("Control+Shift+z")
        settled(page)
    strokes(page, 2)
    page.click("#stroke-clear")
    settled(page)
    page.keyboard.press("f")
    box = page.locator("#picture").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    settled(page)
    for button in ("#map", "#zoom-in", "#zoom-out", "#zoom-one", "#zoom-fit", "#compare"):
        page.click(button)
    page.fill("#opacity", "40")
    page.focus("#divider")
    page.keyboard.press("ArrowLeft")
    no_serious_fault(page)


def test_of_ten_quick_moves_the_last_wins(page):
    strength = page.locator("#controls input[type=range]").first
    move = "(it, value) => { it.value = value; it.dispatchEvent(new Event('input')); }"
    for k in range(9):
        strength.evaluate(move, str(1.5 + 0.5 * k))
    # As when a person lets go: no answer to an earlier move comes between.
    let_go = f"(it, value) => {{ ({move})(it, value); it.dispatchEvent(new Event('change')); }}"
    strength.evaluate(let_go, "6")
    settled(page)
    page.wait_for_timeout(300)
    settled(page)
    assert float(strength.input_value()) == pytest.approx(6.0, abs=0.05)
    page.reload()
    settled(page)
    assert float(strength.input_value()) == pytest.approx(6.0, abs=0.05)
    page.keyboard.press("Control+z")  # the drag was one step
    settled(page)
    assert page.is_disabled("#undo")


def test_an_export_survives_a_reload_and_a_second_one_waits(page):
    page.click("#export")
    page.select_option("#export-format", "png")
    page.check("input[value=recipe]")
    page.click("#export-go")
    page.select_option("#export-format", "tiff")
    page.click("#export-go")
    page.reload()
    settled(page)
    page.click("#export")
    page.wait_for_selector("#export-list li >> nth=1")
    links = page.locator("#export-list a[href$='/picture']")
    page.wait_for_function(
        "() => document.querySelectorAll(\"#export-list a[href$='/picture']\").length === 2"
    )
    origin = page.url.partition("/?")[0]
    heads = {
        page.request.get(origin + links.nth(k).get_attribute("href")).body()[:4] for k in range(2)
    }
    assert heads == {b"\x89PNG", b"II*\x00"}


def test_two_tabs_show_one_photograph_and_a_second_upload_wins(page, photograph, tmp_path):
    other = page.context.new_page()
    other.goto(page.url)
    settled(other)
    strength = "#controls input[type=number] >> nth=0"
    page.fill(strength, "4")
    page.press(strength, "Enter")
    settled(page)
    other.wait_for_function(
        "() => document.querySelector('#controls input[type=number]').value === '4'"
    )
    other.close()
    second = tmp_path / "second.jpg"
    second.write_bytes(photograph.read_bytes())
    first = page.url
    page.evaluate("document.getElementById('name').textContent = ''")
    page.set_input_files("#file", photograph)
    page.set_input_files("#file", second)
    page.wait_for_function("() => document.getElementById('name').textContent === 'second.jpg'")
    settled(page)
    assert page.url != first


def png_of(width, height):
    """A PNG of one colour, which is small however large the picture is."""
    squeeze = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    data = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()

    def chunk(kind, body):
        head = len(body).to_bytes(4, "big") + kind + body
        return head + zlib.crc32(kind + body).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_malformed_files_are_told_and_the_server_goes_on(server, new_page, photograph):
    page = new_page(server.link)
    new_page.expected_errors = ["422"]
    whole = photograph.read_bytes()
    files = {
        "empty.jpg": b"", "cut.jpg": whole[: len(whole) // 3], "text.png": b"hello",
        "noise.dng": bytes(range(256)) * 40, "large.png": png_of(20000, 10000),
        "../../etc/passwd": b"\x00" * 64,
    }  # fmt: skip
    assert len(files["large.png"]) < 700_000
    for name, data in files.items():
        page.set_input_files("#file", {"name": name, "mimeType": "", "buffer": data})
        page.wait_for_selector("#notes .error")
        told = page.text_content("#notes .error")
        assert name.rpartition("/")[2] in told and "Traceback" not in told
        page.click("#notes .error button")
    page.set_input_files("#file", photograph)
    settled(page)


@pytest.mark.parametrize(
    ("header", "status"),
    [({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403), ({}, 200)],
)
def test_forged_hosts_and_origins_are_refused(server, header, status):
    parts = urlsplit(server.link)
    token = parse_qs(parts.query)["token"][0]
    cookie = {"Cookie": f"camerapipe-{parts.port}={token}"}
    for path, more in (("/", {}), ("/viewfinder/socket", SOCKET)):
        connection = http.client.HTTPConnection(parts.hostname, parts.port)
        connection.request("GET", path, headers={**cookie, **more, **header})
        found = connection.getresponse().status
        connection.close()
        if more:
            assert found == 403 if header or "Origin" not in more else 101
        else:
            assert found == status


SOCKET = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


def test_a_phone_has_all_of_it(server, new_page, photograph, no_serious_fault):
    page = new_page(server.link, **PHONE)
    no_serious_fault(page)
    page.set_input_files("#file", photograph)
    settled(page)
    no_serious_fault(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

"""The studio's server without a browser: a photograph is opened, edited and exported."""

import io
import json
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("starlette", reason='the extra "web" is not installed')
pytest.importorskip("httpx2", reason='the extra "test" is not installed')

from PIL import Image
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import camerapipe
from camerapipe.cli import main
from camerapipe.runtime import warm_up
from camerapipe.web.editing import CLOSED
from camerapipe.web.messages import unpack
from camerapipe.web.serving import Serving
from camerapipe.web.shelf import Shelf
from camerapipe.web.site import site
from camerapipe.web.studio import Studio
from stages.tone import to_codes

BASE = "http://127.0.0.1:8737"
SHAPE = (240, 320)
STROKE = {"points": [[40, 40], [90, 60]], "width_px": 12, "kind": "sharp"}


@pytest.fixture(scope="module")
def studio(photographs):
    warm_up()  # two processes must not compile the same kernels
    return Studio(
        Serving(token="t", max_upload_bytes=2 << 20, max_pictures=3), Shelf.of([photographs])
    )


@pytest.fixture(scope="module")
def client(studio):
    with TestClient(site(studio.serving, [studio]), base_url=BASE) as client:
        client.headers["origin"] = BASE
        client.get("/studio/start", params={"token": "t"})
        yield client


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def upload(client, data, name="photo.png"):
    return client.post("/studio/upload", params={"name": name}, content=data)


@pytest.fixture
def picture(client, small_photograph):
    """Number of a newly opened photograph."""
    return upload(client, png(small_photograph)).json()["picture"]


class Page:
    """A page that shows a photograph."""

    def __init__(self, socket):
        self.socket, self.id = socket, 0

    def receive(self):
        message = unpack(self.socket.receive_bytes())
        if slot := message.fields.get("slot"):
            self.send("shown", slot=slot)
        return message

    def until(self, op, **fields):
        while True:
            message = self.receive()
            if message.op == op and fields.items() <= message.fields.items():
                return message

    def send(self, op, **fields):
        self.socket.send_text(json.dumps({"op": op, **fields}))

    def ask(self, op, **fields):
        """Ask, and wait for the answer; the last state before it, and its fields."""
        self.id += 1
        self.send(op, id=self.id, **fields)
        state = None
        while True:
            message = self.receive()
            state = message.fields if message.op == "state" else state
            if message.id == self.id:
                return state, message.fields


@contextmanager
def page_of(client, picture):
    with client.websocket_connect(f"ws://127.0.0.1:8737/studio/pictures/{picture}") as socket:
        yield Page(socket)


def pixels(message):
    fields = message.fields
    codes = np.frombuffer(message.data, np.uint8)
    return codes.reshape(fields["height"], fields["width"], 4)


def test_a_page_gets_the_photograph_its_state_and_its_picture(
    client, picture, photographs, small_photograph
):
    with page_of(client, picture) as page:
        about = page.until("opened").fields
        assert (about["name"], about["width"], about["height"]) == ("photo.png", 320, 240)
        state = page.until("state").fields
        assert not state["undo"] and not state["redo"] and state["scribbles"] == []
        assert state["values"]["radius.strength"] == {"value": 2.0, "changed": False}
        np.testing.assert_array_equal(pixels(page.until("before"))[..., :3], small_photograph)
        shown = page.until("picture", size="proxy")
        assert shown.fields["findings"][0]["code"] == "defocus_present"
        expected = to_codes(camerapipe.render(photographs / "one.png").image, 8)
        np.testing.assert_array_equal(pixels(shown)[..., :3], expected)
        assert np.all(pixels(shown)[..., 3] == 255)


@pytest.mark.parametrize("suffix", ["jpg", "tiff", "heic"])
def test_a_page_opens_other_formats(client, small_photograph, suffix):
    if suffix == "heic":
        pytest.importorskip("pillow_heif", reason='the extra "heif" is not installed')
        from pillow_heif import register_heif_opener

        register_heif_opener()
    file = io.BytesIO()
    Image.fromarray(small_photograph).save(
        file, {"jpg": "JPEG", "heic": "HEIF"}.get(suffix, suffix)
    )
    opened = upload(client, file.getvalue(), f"photo.{suffix}").json()
    with page_of(client, opened["picture"]) as page:
        about = page.until("opened").fields
        assert (about["name"], about["width"]) == (f"photo.{suffix}", 320)
        difference = pixels(page.until("before"))[..., :3].astype(int) - small_photograph
        assert np.abs(difference).mean() < 4


def test_controls_are_those_of_the_parameters(client):
    start = client.get("/studio/start").json()
    known = {each["key"]: each for group in start["controls"] for each in group["controls"]}
    strength = known["radius.strength"]
    assert (strength["low"], strength["high"]) == (1.0, 8.0) and "magnified" in strength["help"]
    assert known["bokeh.blades"]["whole"] and known["bokeh.rotation_deg"]["unit"] == "deg"


def test_edits_of_a_gesture_are_one_step(client, picture):
    with page_of(client, picture) as page:
        for strength in (3.0, 4.0, 5.0):
            state, _ = page.ask("edit", params={"radius.strength": strength}, gesture="g")
        assert state["values"]["radius.strength"] == {"value": 5.0, "changed": True}
        state, _ = page.ask("undo")
        assert state["values"]["radius.strength"]["value"] == 2.0 and not state["undo"]
        state, _ = page.ask("redo")
        assert state["values"]["radius.strength"]["value"] == 5.0
        state, _ = page.ask("edit", params={"radius.strength": None})
        assert state["values"]["radius.strength"] == {"value": 2.0, "changed": False}


def test_a_refused_edit_changes_nothing(client, picture):
    with page_of(client, picture) as page:
        page.ask("edit", params={"radius.strength": 3.0}, gesture="g")
        for wrong, reason in (
            ({"params": {"radius.strength": 99}, "gesture": "g"}, "expected float in 1.0..8.0"),
            ({"params": {"radius.x": 1}}, "radius.x does not exist"),
            ({"stroke": {"points": []}}, "width_px"),
            ({"stroke": STROKE | {"points": [[-900, -900]]}}, "outside of the picture"),
            ({"focus_point": [9999, 0]}, "focus"),
            ({"scribbles": 3}, "list of strokes"),
            ({"colour": 1}, "'colour' does not exist"),
            ({"params": [1]}, "values by section.name"),
            ({"params": {"radius.strength": {}}}, "expected float"),
            ({"look": ["lens"]}, "look"),
        ):
            state, answer = page.ask("edit", **wrong)
            assert reason in answer["error"], wrong
            assert state["values"]["radius.strength"]["value"] == 3.0
        assert page.ask("undo")[0]["undo"] is False


def test_a_reset_is_one_step(client, picture):
    with page_of(client, picture) as page:
        page.ask("edit", params={"radius.strength": 3.0})
        page.ask("edit", stroke=STROKE)
        state, _ = page.ask("reset")
        assert state["scribbles"] == [] and not state["values"]["radius.strength"]["changed"]
        assert len(page.ask("undo")[0]["scribbles"]) == 1


RECIPE = """format_version = 1
size_px = [640, 480]
[params.radius]
strength = 4.0
[[scribbles]]
points = [[80.0, 80.0], [180.0, 120.0]]
width_px = 24.0
kind = "sharp"
"""


def test_a_recipe_takes_the_place_of_the_edits_and_can_be_undone(client, picture):
    with page_of(client, picture) as page:
        page.ask("edit", focus_point=[10, 20])
        state, _ = page.ask("recipe", name="other.toml", text=RECIPE)
        assert state["values"]["radius.strength"] == {"value": 4.0, "changed": True}
        assert state["focus_point"] is None and state["scribbles"][0]["width_px"] == 12
        state, _ = page.ask("undo")
        assert state["focus_point"] == [10, 20] and state["scribbles"] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "other.toml: is not TOML"),
        ("format_version = 1\nstrenth = 3", "strenth"),
        ('format_version = 1\nforeground = "/etc/passwd"', "other.toml: names other files"),
        ('format_version = 1\nfrom_depth = "../depth.png"', "other.toml: names other files"),
        ('format_version = 1\nprotect = "mask.png"', "other.toml: names other files"),
        (RECIPE.replace("480", "640"), "the aspect ratios differ"),
    ],
)
def test_a_recipe_that_cannot_be_used_changes_nothing(client, picture, text, reason):
    with page_of(client, picture) as page:
        state, answer = page.ask("recipe", name="other.toml", text=text)
        assert reason in answer["error"] and not state["undo"]


def test_strokes_are_drawn_erased_and_listed(client, picture):
    with page_of(client, picture) as page:
        page.ask("edit", stroke=STROKE)
        state, _ = page.ask("edit", stroke=STROKE | {"kind": "foreground"})
        assert [each["kind"] for each in state["scribbles"]] == ["sharp", "foreground"]
        state, _ = page.ask("edit", scribbles=state["scribbles"][1:])
        assert [each["kind"] for each in state["scribbles"]] == ["foreground"]
        assert len(page.ask("undo")[0]["scribbles"]) == 2


def test_the_last_of_many_wishes_wins_on_all_pages(client, picture, photographs):
    with page_of(client, picture) as one, page_of(client, picture) as other:
        one.until("picture", size="proxy")
        for k in range(10):
            one.send("edit", id=k, params={"radius.strength": 2.0 + k / 2}, gesture="g")
        expected = to_codes(camerapipe.render(photographs / "one.png", strength=6.5).image, 8)
        for page in (one, other):
            while True:
                shown = page.until("picture", size="proxy")
                if np.array_equal(pixels(shown)[..., :3], expected):
                    break
        assert other.ask("undo")[0]["values"]["radius.strength"]["value"] == 2.0


def test_a_reload_finds_the_edits(client, picture):
    with page_of(client, picture) as page:
        page.ask("edit", params={"bokeh.blades": 6}, look="portrait")
    with page_of(client, picture) as page:
        state = page.until("state").fields
        assert state["values"]["bokeh.blades"]["value"] == 6 and state["look"] == "portrait"


def test_after_a_blocking_finding_the_picture_is_untouched_until_forced(client):
    number = upload(client, png(np.full((*SHAPE, 3), 9, np.uint8))).json()["picture"]
    with page_of(client, number) as page:
        shown = page.until("picture", size="proxy")
        assert shown.fields["blocked"] and shown.fields["findings"][0]["severity"] == "blocking"
        assert np.all(pixels(shown)[..., :3] == 9)
        page.send("edit", id=1, force=True)
        assert not page.until("picture", size="proxy", revision=1).fields["blocked"]


def test_the_map_and_what_is_under_the_pointer(client, picture, photographs):
    with page_of(client, picture) as page:
        page.until("picture", size="proxy")
        page.send("view", map=True)
        message = page.until("map")
        blur = camerapipe.render(photographs / "one.png").blur_map
        top = message.fields["top_px"]
        codes, unsure = np.frombuffer(message.data, np.uint8).reshape(2, *SHAPE)
        apart = np.abs(codes * (top / 255) - np.minimum(blur.sigma, top))
        assert apart.max() <= top / 255 and set(np.unique(unsure)) <= {0, 1}
        _, found = page.ask("probe", x=30, y=20)
        assert found["sigma_px"] == pytest.approx(float(blur.sigma[20, 30]), abs=1e-6)
        assert found["radius_px"] > 0
        assert "sigma_px" not in page.ask("probe", x=-5, y=20)[1]


def test_a_visible_tile_is_that_part_of_the_full_result(
    client, monkeypatch, photographs, small_photograph
):
    monkeypatch.setattr("camerapipe.web.desk.PROXY_MEGAPIXELS", 0.02)
    number = upload(client, png(small_photograph)).json()["picture"]
    with page_of(client, number) as page:
        page.ask("edit", stroke=STROKE)
        page.ask("edit", params={"bokeh.blades": 6})
        page.send("view", part=[50, 60, 90, 70], close=True, before=True)
        tiles = [page.until("tile", which=which) for which in ("before", "after")]
        state, _ = page.ask("probe", x=0, y=0)
    stroke = camerapipe.Scribble(((40, 40), (90, 60)), 12, "sharp")
    full = camerapipe.render(
        photographs / "one.png", scribbles=[stroke], params={"bokeh": {"blades": 6}}
    )
    for tile, image in zip(tiles, (small_photograph, to_codes(full.image, 8)), strict=True):
        assert tile.fields["part"] == [50, 60, 90, 70]
        np.testing.assert_array_equal(pixels(tile)[..., :3], image[60:130, 50:140])


def exported(page, **asked):
    _, answer = page.ask("export", **asked)
    number = answer["export"]
    while True:
        message = page.until("export", export=number)
        if not {"stage", "waits"} & message.fields.keys():
            return number, message.fields


def test_an_export_is_what_render_writes_with_the_recipe(
    client, picture, tmp_path, capsys, small_photograph
):
    with page_of(client, picture) as page:
        page.ask("edit", stroke=STROKE | {"kind": "foreground"})
        page.ask("edit", params={"radius.strength": 3.0})
        kinds = ["picture", "map", "recipe", "report"]
        number, done = exported(page, kinds=kinds, format="jpeg", quality=90)
    assert [each["kind"] for each in done["files"]] == kinds and "strength 3" in done["verdict"]
    files = {}
    for kind in kinds:
        answer = client.get(f"/studio/pictures/{picture}/exports/{number}/{kind}")
        assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
        files[kind] = answer.content
    (tmp_path / "photo.png").write_bytes(png(small_photograph))
    (tmp_path / "in.toml").write_bytes(files["recipe"])
    out = {"-o": tmp_path / "out.jpg", "--map": tmp_path / "map.tiff"}
    with pytest.raises(SystemExit) as left:
        main([
            "render", str(tmp_path / "photo.png"), "--recipe", str(tmp_path / "in.toml"),
            "--quality", "90", "-q", *(str(each) for pair in out.items() for each in pair),
        ])  # fmt: skip
    assert left.value.code == 0
    assert out["-o"].read_bytes() == files["picture"]
    assert out["--map"].read_bytes() == files["map"]
    assert client.get(f"/studio/pictures/{picture}/exports/{number}/desk").status_code == 404


def test_exports_wait_for_their_turn_and_are_cancelled(client, picture):
    with page_of(client, picture) as page:
        numbers = [page.ask("export", kinds=["picture"])[1]["export"] for _ in range(2)]
        page.send("cancel", export=numbers[1])
        ends = {}
        while len(ends) < 2:
            fields = page.until("export").fields
            if not {"stage", "waits"} & fields.keys():
                ends[fields["export"]] = fields
        assert "files" in ends[numbers[0]] and ends[numbers[1]]["cancelled"]
        assert "kinds" in page.ask("export", kinds=["all"])[1]["error"]
        assert "format" in page.ask("export", kinds=["picture"], format="bmp")[1]["error"]


def test_files_that_are_no_photographs_are_refused_in_words(client):
    answer = upload(client, b"no picture", "letter.txt")
    assert answer.status_code == 422 and answer.json()["error"].startswith("letter.txt: ")
    assert "/" not in answer.json()["error"].split(":")[0]
    assert upload(client, b"0" * (3 << 20)).status_code == 413


def test_a_name_from_a_page_leads_nowhere_else(client, studio, tmp_path, small_photograph):
    data = png(small_photograph)
    for name in ("../../evil.png", "/etc/evil.png", "..\\evil.png", "", "a" * 300 + ".png", "\0"):
        assert upload(client, data, name).status_code == 200
    inside = list(studio.workplace.path.rglob("*.png"))
    assert inside and all(len(path.name) < 150 for path in inside)
    assert not list(tmp_path.parent.rglob("evil.png"))


def test_photographs_are_closed_for_new_ones_the_oldest_first(
    client, studio, picture, small_photograph
):
    def opened():
        return upload(client, png(small_photograph)).json()["picture"]

    with page_of(client, picture) as page:
        unused = [opened() for _ in range(3)]  # of which the first is closed: no page shows it
        with page_of(client, unused[1]) as second, page_of(client, unused[2]) as third:
            opened()
            with pytest.raises(WebSocketDisconnect) as ended:
                page.until("nothing")
            assert ended.value.code == CLOSED and "more photographs" in ended.value.reason
            assert second.ask("undo") and third.ask("undo")
    for number in (picture, unused[0]):
        with page_of(client, number) as page, pytest.raises(WebSocketDisconnect) as ended:
            page.until("nothing")
        assert "no longer open" in ended.value.reason
    assert len(list(studio.workplace.path.rglob("photo.png"))) == 3  # their files have gone, too


def test_the_shelf_has_verdicts_and_opens_what_was_named_only(client):
    while True:
        items = client.get("/studio/shelf").json()
        if all(item["verdict"] for item in items):
            break
    answers = {item["name"]: item["verdict"]["answer"] for item in items}
    assert answers == {"one.png": "yes", "zero.jpg": "unreadable", "two.png": "no"}
    names = [item["name"] for item in items]
    thumbnail = client.get(f"/studio/shelf/{names.index('one.png')}/thumbnail")
    assert Image.open(io.BytesIO(thumbnail.content)).format == "JPEG"
    place = f"/studio/shelf/{names.index('one.png')}/open"
    assert client.post(place).json() == client.post(place).json()  # shared by all pages
    assert client.post(f"/studio/shelf/{names.index('zero.jpg')}/open").status_code == 422
    assert client.post("/studio/shelf/3/open").status_code == 404


def test_links_in_a_folder_lead_nowhere_else(tmp_path, small_photograph):
    inside, outside = tmp_path / "inside", tmp_path / "secret.png"
    inside.mkdir()
    Image.fromarray(small_photograph).save(outside)
    (inside / "link.png").symlink_to(outside)
    (inside / "real.png").write_bytes(outside.read_bytes())
    (inside / "own.png").symlink_to(inside / "real.png")
    assert {item.path.name for item in Shelf.of([inside]).items} == {"own.png", "real.png"}
    assert len(Shelf.of([inside / "link.png"]).items) == 1  # which a person named


@pytest.mark.parametrize(
    "message",
    [
        '{"op": "fly"}',
        '{"op": "view", "part": [1, 2, 3]}',
        '{"op": "probe", "x": "1", "y": 2}',
        "x",
    ],
)
def test_a_wrong_message_ends_the_connection(client, picture, message):
    with page_of(client, picture) as page:
        page.socket.send_text(message)
        with pytest.raises(WebSocketDisconnect) as ended:
            page.until("nothing")
        assert ended.value.code == 1008

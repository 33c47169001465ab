"""How the server starts, what it refuses, and that nothing is left of it."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

pytest.importorskip("starlette", reason='the extra "web" is not installed')
pytest.importorskip("uvicorn", reason='the extra "web" is not installed')

from camerapipe.cli import main, serve
from camerapipe.web.serving import Serving
from camerapipe.web.workplace import PREFIX, Workplace, safe_name

CRASH = """
import os, sys
from pathlib import Path
from camerapipe.web.workplace import Workplace
place = Workplace(Path(sys.argv[1]))
(place.folder() / "photo.raw").write_bytes(b"0" * 1000)
os.kill(os.getpid(), 9)
"""


def failure(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(["serve", "--no-browser", *arguments])
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return left.value.code, said


def test_a_taken_port_is_said(capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, said = failure(["--port", str(other.getsockname()[1])], capsys)
    assert code == 2 and "is taken" in said and len(said.splitlines()) == 1


def test_a_missing_extra_is_said(capsys, monkeypatch):
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    code, said = failure([], capsys)
    assert code == 2 and 'python -m pip install "starlette' in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "--certificate"),
        (["--host", "192.0.2.1", "--insecure"], "--host 192.0.2.1: cannot listen there"),
        (["nothing.jpg"], "nothing.jpg: does not exist"),
        (["--set", "radius.x=1"], "radius.x does not exist"),
        (["--recipe", "nothing.toml"], "nothing.toml"),
        (["--viewfinder", "no-scene.toml"], "no-scene.toml"),
        (["--viewfinder", "no-clip.mp4"], "no-clip.mp4"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(arguments, words, capsys):
    code, said = failure(arguments, capsys)
    assert code in (2, 3) and words in said


def test_certificate_and_key_belong_together(capsys, tmp_path):
    (tmp_path / "c.pem").write_text("")
    code, said = failure(["--certificate", str(tmp_path / "c.pem")], capsys)
    assert code == 2 and "belong together" in said


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    code = "from camerapipe.cli import main; main()"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path),
    }  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--no-browser", "--port", "0"],
        stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert "http://127.0.0.1:" in server.stderr.readline()
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(PREFIX)]
    server.send_signal(signal.SIGINT)
    _, said = server.communicate(timeout=60)
    assert server.returncode == 0 and said == "camerapipe: stopped\n"
    assert not [each.name for each in tmp_path.iterdir() if each.name.startswith(PREFIX)]


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl, to make a certificate")
def test_with_a_certificate_pages_come_over_https_only(tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-c", "from camerapipe.cli import main; main()", "serve", "--no-browser",
         "--port", "0", "--certificate", str(certificate), "--key", str(key)],
        stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    link = re.search(r"https://\S+", server.stderr.readline())[0]
    trusting = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=certificate))
    cookies = urllib.request.HTTPCookieProcessor()
    browser = urllib.request.build_opener(trusting, cookies)
    try:
        with pytest.raises(urllib.error.HTTPError, match="403"):
            browser.open(link.partition("?")[0])  # without the token
        with browser.open(link) as page:
            assert page.status == 200 and "?" not in page.url and b"<!doctype html>" in page.read()
        assert all(cookie.secure for cookie in cookies.cookiejar) and len(cookies.cookiejar) == 1
        with pytest.raises((urllib.error.URLError, OSError)):
            urllib.request.urlopen(link.replace("https:", "http:"))
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    assert link.startswith("https://127.0.0.1:") and server.returncode == 0


def test_the_files_of_a_server_that_crashed_are_removed_by_the_next(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], env=environment, check=False)
    (left,) = tmp_path.iterdir()
    running = Workplace(tmp_path)
    assert not left.exists() and running.path.is_dir()
    other = Workplace(tmp_path)  # of which the folder is in use
    assert running.path.is_dir()
    running.close()
    other.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../a/b.dng", "b.dng"), ("C:\\x\\y.jpg", "y.jpg"), ("..", "photograph"),
        ("", "photograph"), (".hidden", "hidden"), ("a\n<b>.png", "ab.png"), ("π 1.jpg", "π 1.jpg"),
    ],
)  # fmt: skip
def test_names_of_files_from_pages(name, expected):
    assert safe_name(name) == expected


def test_addresses():
    assert Serving(port=80, token="t").link() == "http://127.0.0.1:80/?token=t"
    assert Serving(host="::1", port=9).address == "http://[::1]:9/"
    assert Serving(host="0.0.0.0", port=9).address == "http://127.0.0.1:9/"
    assert Serving().token != Serving().token and "token" not in repr(Serving())

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from checkpoint_assets.testing.web_server import HTML, LocalSite, Request, Response


class Site(LocalSite):
    """Files, and routes that are slow, broken, or tell what they were asked."""

    def respond(self, request: Request) -> Response | None:
        match request.path:
            case "/slow":
                self.pause(30)
                return Response(body=b"at last")
            case "/broken":
                raise ValueError("a fault of the route")
            case "/echo":
                return Response(body=repr((request.query, request.form())).encode())
        return None

    def transform_html(self, request: Request, html: bytes) -> bytes:
        return html.replace(b"</body>", b"<b>added</b></body>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "index.html").write_text("<body>front</body>")
    (root / "sub" / "index.html").write_text("<body>below</body>")
    (root / "script.js").write_text("1")
    (root / "picture.webp").write_bytes(b"RIFF")
    (root / ".hidden").write_text("not for you")
    (root / "empty").mkdir()
    (tmp_path / "outside.txt").write_text("not for you")
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    return root


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    with Site(folder, name="test") as running:
        yield running


def connect(site: LocalSite) -> closing[http.client.HTTPConnection]:
    host, _, port = site.url.removeprefix("http://").partition(":")
    return closing(http.client.HTTPConnection(host, int(port), timeout=10))


def get(site: LocalSite, path: str, method: str = "GET", body: str | None = None):
    with connect(site) as client:
        client.request(method, path, body=body)
        response = client.getresponse()
        return response.status, response.headers, response.read()


def test_it_listens_on_this_machine_alone(site: Site) -> None:
    assert site.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        ("/", HTML, b"<body>front<b>added</b></body>"),
        ("/sub/", HTML, b"<body>below<b>added</b></body>"),
        ("/script.js", "text/javascript; charset=utf-8", b"1"),
        ("/picture.webp", "image/webp", b"RIFF"),
    ],
)
def test_files_have_their_media_type(site: Site, path: str, media_type: str, body: bytes) -> None:
    status, headers, found = get(site, path)
    assert (status, headers["Content-Type"], found) == (200, media_type, body)


def test_a_folder_is_redirected_to_its_slash(site: Site) -> None:
    status, headers, _ = get(site, "/sub?a=1")
    assert (status, headers["Location"]) == (303, "/sub/")


@pytest.mark.parametrize(
    "path",
    [
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/sub/../../outside.txt",
        "/..%2foutside.txt",
        "/..%5coutside.txt",
        "//../outside.txt",
        "/link.txt",
        "/.hidden",
        "/%00",
        "/empty/",
        "/nothing",
        "/" + "x" * 300,
    ],
)
def test_nothing_outside_the_folder_is_served_and_no_listing(site: Site, path: str) -> None:
    status, _, body = get(site, path)
    assert status == 404
    assert b"not for you" not in body


def test_head_sends_no_body_and_its_length(site: Site) -> None:
    status, headers, body = get(site, "/script.js", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "1", b"")


def test_a_file_cannot_be_posted_to(site: Site) -> None:
    assert get(site, "/script.js", "POST")[0] == 405


def test_a_route_gets_query_and_form_decoded(site: Site) -> None:
    _, _, body = get(site, "/echo?q=red+tea&q=green&x=", "POST", "name=J%C3%B6rg")
    assert body.decode() == "({'q': 'green', 'x': ''}, {'name': 'Jörg'})"


def test_a_body_that_is_too_large_is_refused(site: Site) -> None:
    with connect(site) as client:
        client.putrequest("POST", "/echo")
        client.putheader("Content-Length", str(10**9))
        client.endheaders()
        assert client.getresponse().status == 413


def test_one_connection_serves_many_requests(site: Site) -> None:
    with connect(site) as client:
        for path in ("/", "/nothing", "/script.js"):
            client.request("GET", path)
            client.getresponse().read()
        assert client.sock is not None


def test_a_fault_in_a_route_is_answered_and_shown(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    assert get(site, "/broken")[0] == 500
    site.stop()
    assert "a fault of the route" in capfd.readouterr().err


def test_clients_that_go_away_make_no_noise(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    address = ("127.0.0.1", int(site.url.rpartition(":")[2]))
    for sent in (b"", b"GET / HT", b"POST /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"):
        with socket.create_connection(address) as client:
            client.sendall(sent)
    get(site, "/")
    site.stop()
    assert capfd.readouterr().err == ""


def test_stop_ends_idle_and_slow_connections_within_a_second(site: Site) -> None:
    with connect(site) as idle, connect(site) as slow:
        idle.request("GET", "/")
        idle.getresponse().read()
        slow.request("GET", "/slow")
        before = time.monotonic()
        site.stop()
        assert time.monotonic() - before < 1
    assert not [thread for thread in threading.enumerate() if thread.name == "site-test"]


def test_a_stopped_site_frees_its_port_and_starts_again(folder: Path) -> None:
    first = LocalSite(folder, name="first")
    port = int(first.start().rpartition(":")[2])
    first.stop()
    first.stop()
    with LocalSite(folder, name="second", port=port) as second:
        assert get(second, "/")[0] == 200
    with pytest.raises(RuntimeError, match="not running"):
        _ = second.url
    with second:
        assert get(second, "/")[0] == 200

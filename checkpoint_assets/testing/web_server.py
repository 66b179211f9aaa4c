"""A small web server on 127.0.0.1 for the built-in sites and for any folder of files.

It serves the files below one folder, never anything outside it and never a listing. A site with
routes of its own subclasses :class:`LocalSite` and overrides ``respond``; one that has to change
the pages that it serves overrides ``transform_html``.
"""

from __future__ import annotations

import functools
import socket
import socketserver
import sys
import threading
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

HOST = "127.0.0.1"
LARGEST_BODY = 1024 * 1024
# An own table: the one of the standard library reads the machine's and differs between machines.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".gif": "image/gif",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
HTML = MEDIA_TYPES[".html"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``path`` is decoded, header names are in lower case, the last value counts."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    def form(self) -> dict[str, str]:
        """The fields of a form that was posted as ``application/x-www-form-urlencoded``."""
        text = self.body.decode("utf-8", errors="replace")
        return dict(urllib.parse.parse_qsl(text, keep_blank_values=True))

    def cookies(self) -> dict[str, str]:
        """The cookies that the client sent; none if it sent something else in their place."""
        try:
            jar = SimpleCookie(self.headers.get("cookie", ""))
        except CookieError:
            return {}
        return {name: morsel.value for name, morsel in jar.items()}


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; ``Content-Type`` and ``Content-Length`` are written from it."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    media_type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def redirect(cls, location: str, headers: Mapping[str, str] | None = None) -> Self:
        """An answer that sends the browser to ``location`` with a GET."""
        return cls(HTTPStatus.SEE_OTHER, headers={**(headers or {}), "Location": location})


class LocalSite:
    """A web site on this machine alone: files below ``root``, and what ``respond`` adds to them.

    ``with LocalSite(folder, name="docs") as site: site.url`` serves until the block ends. Port 0
    takes a free one. A site may be started again after it was stopped.
    """

    def __init__(self, root: Path, *, name: str, port: int = 0) -> None:
        self.root = root.resolve()
        self.name = name
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def respond(self, request: Request) -> Response | None:
        """The answer of a route, or ``None`` for "serve the file". Called from many threads."""
        return None

    def not_found(self, request: Request) -> Response:
        """What is sent where there is neither a route nor a file."""
        return _plain(HTTPStatus.NOT_FOUND)

    def transform_html(self, request: Request, html: bytes) -> bytes:
        """What is sent in place of the HTML file that was asked for: the file as it is."""
        return html

    def demo_secrets(self) -> dict[str, str]:
        """Secrets by name that a scenario on this site may use; made up, and public."""
        return {}

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end. Raises ``RuntimeError`` before ``start``."""
        if self._server is None:
            raise RuntimeError(f"site {self.name!r} is not running")
        return f"http://{HOST}:{self._server.server_address[1]}"

    def start(self) -> str:
        """Serve, and return the base URL. Raises ``OSError`` if the port is taken."""
        if self._server is not None:
            raise RuntimeError(f"site {self.name!r} is running already")
        self._stopping.clear()
        self._server = _Server(self, self._port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"site-{self.name}", daemon=True
        )
        self._thread.start()
        return self.url

    def stop(self) -> None:
        """Stop within a second and free the port, whatever clients do. Stopping twice is fine."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._stopping.set()
        server.shutdown()
        server.server_close()
        server.hang_up(deadline=time.monotonic() + 0.5)
        thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def pause(self, seconds: float) -> None:
        """Wait, for a route that is slow on purpose; ends early when the site is stopped."""
        self._stopping.wait(seconds)

    def answer(self, request: Request) -> Response:
        """The answer to any request: that of ``respond``, or a file, or an error status."""
        response = self.respond(request)
        if response is not None:
            return response
        if request.method not in ("GET", "HEAD"):
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED)
        return self._serve_file(request)

    def _serve_file(self, request: Request) -> Response:
        path = self._find(request.path)
        if path is not None and path.is_dir():
            if not request.path.endswith("/"):
                # Relative links of the index page need the slash. "//host" would be another site.
                target = "/" + request.path.strip("/") + "/"
                return Response.redirect(urllib.parse.quote(target))
            path = path / "index.html"
        if path is None or not path.is_file():
            return self.not_found(request)
        body = path.read_bytes()
        media_type = MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
        if media_type == HTML:
            body = self.transform_html(request, body)
        return Response(body=body, media_type=media_type)

    def _find(self, url_path: str) -> Path | None:
        # Hidden files and every spelling of "one up" are refused before the disk is asked; the
        # second look catches links that lead out of the folder.
        parts = [part for part in url_path.split("/") if part]
        if any(part.startswith(".") or set(part) & set('\\:\0*?"<>|') for part in parts):
            return None
        path = self.root.joinpath(*parts).resolve()
        try:
            path.stat()
        except OSError:  # not there, or a name that is too long to be there
            return None
        return path if path.is_relative_to(self.root) else None


def _plain(status: HTTPStatus) -> Response:
    return Response(status, f"{status.value} {status.phrase}\n".encode(), MEDIA_TYPES[".txt"])


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, site: LocalSite, port: int) -> None:
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._closing = False
        super().__init__((HOST, port), functools.partial(_Handler, site))

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        thread = threading.current_thread()
        with self._lock:
            closing = self._closing
            self._connections[thread] = request
        try:
            if closing:
                self.shutdown_request(request)
            else:
                super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._connections[thread]

    def hang_up(self, deadline: float) -> None:
        """Close every connection and wait for their threads, at most until ``deadline``."""
        with self._lock:
            self._closing = True
            connections = dict(self._connections)
        for connection in connections.values():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster
        for thread in connections:
            thread.join(max(0.0, deadline - time.monotonic()))

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser drops connections as it likes. Anything else is a fault of the site: show it.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    wbufsize = -1
    disable_nagle_algorithm = True

    def __init__(self, site: LocalSite, *arguments: Any) -> None:
        self._site = site
        super().__init__(*arguments)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base's name)
        pass

    def _handle(self) -> None:
        body = self._read_body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        request = Request(
            method=self.command,
            path=urllib.parse.unquote(path),
            query=dict(urllib.parse.parse_qsl(query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        try:
            response = self._site.answer(request)
        except Exception:  # whatever a route did, the client gets an answer and stderr the trace
            self.close_connection = True
            self._send(_plain(HTTPStatus.INTERNAL_SERVER_ERROR))
            raise
        self._send(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 (the base's names)

    def _read_body(self) -> bytes | None:
        length = self.headers.get("content-length", "0")
        refusal = None
        if "transfer-encoding" in self.headers or not length.isdecimal():
            refusal = HTTPStatus.LENGTH_REQUIRED
        elif int(length) > LARGEST_BODY:
            refusal = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if refusal is not None:
            self.close_connection = True
            self._send(_plain(refusal))
            return None
        return self.rfile.read(int(length))

    def _send(self, response: Response) -> None:
        self.send_response_only(response.status)
        self.send_header("Content-Type", response.media_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in response.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

"""A read-only server on 127.0.0.1 that shows a store: the gallery, and each session's report.

It writes nothing, keeps no cookie and knows no login. Captured HTML has a path of its own, with a
policy that lets it do nothing, and an origin that is nobody's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.server_guard import Guard
from checkpoint_assets.viewer.server_pages import ServerPages

HOST = "127.0.0.1"
DEFAULT_PORT = 8765


def viewer_app(storage: StorageManager) -> Guard:
    """The server as an ASGI application."""
    pages = ServerPages(storage)
    session = "/sessions/{session}"
    return Guard(
        Starlette(
            routes=[
                Route("/", pages.gallery),
                Route("/static/{name}", pages.static),
                Route(f"{session}/", pages.report),
                Route(f"{session}/text.js", pages.words),
                Route(f"{session}/thumb.webp", pages.session_thumbnail),
                Route(f"{session}/steps/{{step}}.js", pages.details),
                Route(f"{session}/pictures/{{step}}.webp", pages.picture),
                Route(f"{session}/thumbs/{{step}}.webp", pages.thumbnail),
                Route(f"{session}/pages/{{step}}.html", pages.page),
            ],
            exception_handlers=pages.refusals,
        )
    )


async def serve(
    storage: StorageManager,
    port: int = DEFAULT_PORT,
    *,
    started: Callable[[str], None] | None = None,
) -> None:
    """Serve until the task is cancelled, or the process is told to end.

    ``started`` gets the address. Port 0 takes a free one. Raises ``OSError`` if the port is taken.
    """
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        config = uvicorn.Config(
            viewer_app(storage),
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            ws="none",
            limit_concurrency=64,
            timeout_graceful_shutdown=1,
        )
        listening.listen()
        if started is not None:
            started(f"http://{HOST}:{listening.getsockname()[1]}/")
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # To its end: a server that is merely dropped keeps its sockets.
            server.should_exit = True
            await serving
            raise

"""One session: what the API tells of it, and its browser."""

from __future__ import annotations

import secrets
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from checkpoint_assets.model.clock import to_utc
from checkpoint_assets.testing.local_browserbase.chromium_process import ChromiumProcess

Status = Literal["PENDING", "RUNNING", "ERROR", "TIMED_OUT", "COMPLETED"]
LIVE: frozenset[Status] = frozenset({"PENDING", "RUNNING"})
_LOGGED = 10_000


@dataclass(frozen=True, slots=True)
class SessionWish:
    """The checked body of ``sessions.create``."""

    timeout: int
    keep_alive: bool = False
    region: str = "us-west-2"
    viewport: tuple[int, int] = (1024, 768)
    log: bool = True
    record: bool = True
    context_id: str | None = None
    persist: bool = False
    extension_id: str | None = None
    user_metadata: dict[str, Any] | None = None


@dataclass(eq=False, slots=True)
class RemoteSession:
    """A session from its creation on; it is kept for ever, as the real ones nearly are."""

    wish: SessionWish
    project_id: str
    folder: Path
    created_at: datetime
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    signing_key: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    status: Status = "PENDING"
    started_at: datetime | None = None
    updated_at: datetime | None = None
    ended_at: datetime | None = None
    browser: ChromiumProcess | None = None
    # One for each open web socket: ends it, with a reason for the client.
    clients: set[Callable[[str], None]] = field(default_factory=set[Callable[[str], None]])
    logs: deque[dict[str, Any]] = field(
        default_factory=lambda: deque[dict[str, Any]](maxlen=_LOGGED)
    )
    # The pages as they were when the session ended.
    pages: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    videos: Literal["NOT_REQUESTED", "PENDING", "COMPLETED"] = "NOT_REQUESTED"

    @property
    def live(self) -> bool:
        return self.status in LIVE

    @property
    def expires_at(self) -> datetime:
        return self.created_at + timedelta(seconds=self.wish.timeout)

    @property
    def downloads(self) -> Path:
        """Where a client's ``downloadPath: "downloads"`` leads: the browser runs in ``folder``."""
        return self.folder / "downloads"

    @property
    def uploads(self) -> Path:
        return self.folder / "uploads"

    def to_json(self) -> dict[str, Any]:
        """What list, retrieve and update tell."""
        started = self.started_at or self.created_at
        words: dict[str, Any] = {
            "id": self.id,
            "createdAt": _text(self.created_at),
            "updatedAt": _text(self.updated_at or started),
            "startedAt": _text(started),
            "expiresAt": _text(self.expires_at),
            "projectId": self.project_id,
            "status": self.status,
            "proxyBytes": 0,
            "keepAlive": self.wish.keep_alive,
            "region": self.wish.region,
        }
        if self.ended_at is not None:
            words["endedAt"] = _text(self.ended_at)
        if self.wish.context_id is not None:
            words["contextId"] = self.wish.context_id
        if self.wish.user_metadata is not None:
            words["userMetadata"] = self.wish.user_metadata
        return words

    def with_addresses(self, host: str) -> dict[str, Any]:
        """What create tells, and retrieve of a session that is live."""
        query = f"signingKey={self.signing_key}&sessionId={self.id}"
        return {
            **self.to_json(),
            "connectUrl": f"ws://{host}/?{query}",
            "seleniumRemoteUrl": f"http://{host}/webdriver",
            "signingKey": self.signing_key,
        }


def _text(moment: datetime) -> str:
    return to_utc(moment).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

"""What an account has besides sessions: its project, contexts (log-in state) and extensions."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from checkpoint_assets.model.clock import Clock, to_utc
from checkpoint_assets.testing.local_browserbase.answers import ApiError

_DEAD_UPLOAD = "https://context-uploads-are-gone.invalid/"


@dataclass(slots=True)
class Account:
    """A project with one API key."""

    api_key: str
    project_id: str
    clock: Clock
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    extensions: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    archives: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def new_context(self, body: dict[str, Any]) -> dict[str, Any]:
        """What ``contexts.create`` tells. Raises ``ApiError`` 409 for a name that is taken."""
        name = str(body.get("name") or "").strip() or None
        if name and any(
            (each.get("name") or "").lower() == name.lower() for each in self.contexts.values()
        ):
            raise ApiError(409, "A context with this name already exists")
        context = self._thing() | ({"name": name} if name else {})
        self.contexts[context["id"]] = context
        return self.context_keys(context["id"])

    def context_keys(self, context_id: str) -> dict[str, Any]:
        """What is left of the time when contexts were uploaded. Raises ``ApiError`` 404."""
        return {
            "id": self.context(context_id)["id"],
            "uploadUrl": _DEAD_UPLOAD,
            "publicKey": "",
            "cipherAlgorithm": "AES-256-CBC",
            "initializationVectorSize": 16,
        }

    def context(self, context_id: str) -> dict[str, Any]:
        """Raises ``ApiError`` 404."""
        if context_id not in self.contexts:
            raise ApiError(404, f"Context {context_id} not found")
        return self.contexts[context_id]

    def new_extension(self, name: str, archive: bytes) -> dict[str, Any]:
        """Raises ``ApiError`` 400 for what is no zip file."""
        if not archive.startswith(b"PK"):
            raise ApiError(400, "The extension must be a zip file")
        extension = self._thing() | {"fileName": name}
        self.extensions[extension["id"]] = extension
        self.archives[extension["id"]] = archive
        return extension

    def extension(self, extension_id: str) -> dict[str, Any]:
        """Raises ``ApiError`` 404."""
        if extension_id not in self.extensions:
            raise ApiError(404, f"Extension {extension_id} not found")
        return self.extensions[extension_id]

    def project(self, concurrency: int, default_timeout: int) -> dict[str, Any]:
        return {
            "id": self.project_id,
            "name": "local",
            "ownerId": "local",
            "concurrency": concurrency,
            "defaultTimeout": default_timeout,
            "createdAt": _text(self.clock.now()),
            "updatedAt": _text(self.clock.now()),
        }

    def _thing(self) -> dict[str, Any]:
        now = _text(self.clock.now())
        return {
            "id": str(uuid.uuid4()),
            "createdAt": now,
            "updatedAt": now,
            "projectId": self.project_id,
        }


def _text(moment: datetime) -> str:
    return to_utc(moment).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

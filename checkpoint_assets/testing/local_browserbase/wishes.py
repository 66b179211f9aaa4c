"""Checks the body of ``sessions.create`` as strictly as the real API does."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any, cast

from checkpoint_assets.testing.local_browserbase.answers import ApiError
from checkpoint_assets.testing.local_browserbase.session import SessionWish

REGIONS = ("us-west-2", "us-east-1", "eu-central-1", "ap-southeast-1")
LONGEST = 21_600
MOST_METADATA = 512


def read_wish(
    body: dict[str, Any],
    *,
    shortest: int,
    longest: int | None,
    default: int,
    contexts: Container[str],
    extensions: Container[str],
) -> SessionWish:
    """The session that the body asks for. Raises ``ApiError`` 400 or 404."""
    settings = _mapping(body, "browserSettings")
    context = _mapping(settings, "context")
    viewport = _mapping(settings, "viewport")
    timeout = body.get("timeout", default)
    if not isinstance(timeout, int) or not shortest <= timeout <= LONGEST:
        raise ApiError(400, f"body/timeout must be >= {shortest} and <= {LONGEST}")
    region = body.get("region", REGIONS[0])
    if region not in REGIONS:
        raise ApiError(400, "body/region must be equal to one of the allowed values")
    metadata = body.get("userMetadata")
    if metadata is not None:
        if not isinstance(metadata, dict):
            raise ApiError(400, "body/userMetadata must be object")
        if len(json.dumps(metadata, separators=(",", ":"))) > MOST_METADATA:
            raise ApiError(400, f"userMetadata must not exceed {MOST_METADATA} characters")
    context_id = context.get("id")
    if context_id is not None and context_id not in contexts:
        raise ApiError(404, f"Context {context_id} not found")
    extension_id = body.get("extensionId") or settings.get("extensionId")
    if extension_id is not None and extension_id not in extensions:
        raise ApiError(404, f"Extension {extension_id} not found")
    return SessionWish(
        timeout=min(timeout, longest or LONGEST),
        keep_alive=bool(body.get("keepAlive", False)),
        region=region,
        viewport=(_pixels(viewport, "width", 1024), _pixels(viewport, "height", 768)),
        log=bool(settings.get("logSession", True)),
        record=bool(settings.get("recordSession", True)),
        context_id=context_id,
        persist=bool(context.get("persist", False)),
        extension_id=extension_id,
        user_metadata=cast("dict[str, Any] | None", metadata),
    )


def _mapping(body: dict[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key, {})
    if not isinstance(value, dict):
        raise ApiError(400, f"{key} must be object")
    return cast("dict[str, Any]", value)


def _pixels(viewport: dict[str, Any], key: str, default: int) -> int:
    value = viewport.get(key, default)
    if not isinstance(value, int) or not 1 <= value <= 16_383:
        raise ApiError(400, f"browserSettings/viewport/{key} must be a positive integer")
    return value

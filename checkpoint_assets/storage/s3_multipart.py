"""Large objects go up in parts, several at a time; a part that fails is not the whole again.

The object appears when the upload is completed, and then at once. What is given up is aborted;
what a killed process began is a leftover, which the sweep and a lifecycle rule abort.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from checkpoint_assets.model.errors import StorageManagerError
from checkpoint_assets.storage.s3_control import S3Control

PART = 16 << 20
# Below this one request is better: fewer round trips, and create-only on every server.
THRESHOLD = 2 * PART
_AT_ONCE = 4


async def put_in_parts(
    control: S3Control, key: str, data: bytes, headers: dict[str, Any], condition: dict[str, str]
) -> dict[str, Any]:
    """Store the bytes; ``condition`` is IfNoneMatch or IfMatch for the completion, or empty."""
    upload = await asyncio.to_thread(control.begin_upload, key, headers)
    try:
        gate = asyncio.Semaphore(_AT_ONCE)
        view = memoryview(data)

        async def send(number: int) -> dict[str, Any]:
            async with gate:
                part = view[(number - 1) * PART : number * PART]
                return await asyncio.to_thread(control.send_part, key, upload, number, bytes(part))

        numbers = range(1, -(-len(data) // PART) + 1)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send(number)) for number in numbers]
        parts = [task.result() for task in tasks]
        return await asyncio.to_thread(control.complete_upload, key, upload, parts, condition)
    except BaseException as error:
        # Also when cancelled: nobody else knows of these parts.
        await asyncio.shield(asyncio.to_thread(_abort, control, key, upload))
        if isinstance(error, BaseExceptionGroup):
            raise error.exceptions[0] from None
        raise


def _abort(control: S3Control, key: str, upload: str) -> None:
    # What made the upload fail is the news; parts that stay are swept as leftovers.
    with suppress(StorageManagerError):
        control.abort_upload(f"{key}?uploadId={upload}")

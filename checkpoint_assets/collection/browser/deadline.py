"""A deadline for every call into the browser: many of them have none of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from checkpoint_assets.model.errors import BrowserCrashed, CaptureTimeout, DataCollectionError

T = TypeVar("T")

_GONE = (
    "Target crashed",
    "Target page, context or browser has been closed",
    "Target closed",
    "Connection closed",
    "Browser has been closed",
    "browser has been closed",
)


async def within(seconds: float, call: Awaitable[T], what: str) -> T:
    """The call's result, before the deadline.

    Raises ``CaptureTimeout`` past it, ``BrowserCrashed`` if the browser or the page is gone, and
    ``DataCollectionError`` for whatever else the browser says.
    """
    try:
        async with asyncio.timeout(seconds):
            return await call
    except (TimeoutError, PlaywrightTimeout) as err:
        raise CaptureTimeout(f"{what} took longer than {seconds:g} s") from err
    except PlaywrightError as err:
        raise translate(err, what) from err


def is_gone(err: PlaywrightError) -> bool:
    """Whether it says that the browser or the page is gone."""
    return any(sign in err.message for sign in _GONE)


def translate(err: PlaywrightError, what: str) -> DataCollectionError:
    """A Playwright error as one of ours, in one line."""
    message = err.message.splitlines()[0] if err.message else type(err).__name__
    if is_gone(err):
        return BrowserCrashed(f"the browser or its page was gone during {what}")
    return DataCollectionError(f"{what} failed: {message}")

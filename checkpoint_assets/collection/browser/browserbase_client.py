"""Our own client of Browserbase's SDK, made from the caller's or from the environment."""

from __future__ import annotations

from typing import Any

from browserbase import (
    APIConnectionError,
    APIStatusError,
    AsyncBrowserbase,
    BrowserbaseError,
    InternalServerError,
    RateLimitError,
)

from checkpoint_assets.model.errors import (
    BrowserUnavailable,
    DataCollectionError,
    InvalidConfiguration,
)


def own_client(given: Any, seconds: float) -> AsyncBrowserbase:
    """A client for our event loop, with the key and address of the given one, sync or async.

    A request that hangs is given up after so many ``seconds``.

    Without one, ``BROWSERBASE_API_KEY`` and ``BROWSERBASE_BASE_URL`` say where and who. Raises
    ``InvalidConfiguration`` without a key.
    """
    try:
        if given is None:
            return AsyncBrowserbase(timeout=seconds)
        return AsyncBrowserbase(api_key=given.api_key, base_url=given.base_url, timeout=seconds)
    except BrowserbaseError as err:
        raise InvalidConfiguration(
            "there is no key for Browserbase", hint="set BROWSERBASE_API_KEY"
        ) from err
    except AttributeError as err:
        raise InvalidConfiguration(
            f"browserbase= must be a client of the browserbase SDK, not {type(given).__name__}"
        ) from err


def may_have_been_done(err: BrowserbaseError) -> bool:
    """Whether a request that ended so could have been served nevertheless."""
    return isinstance(err, APIConnectionError | InternalServerError)


def seconds_to_wait(err: RateLimitError) -> float | None:
    """How long Browserbase says to wait; ``None`` means that there is no free session."""
    text = err.response.headers.get("retry-after", "")
    try:
        return min(max(float(text), 0.1), 120)
    except ValueError:
        return None


def translated(err: BrowserbaseError, what: str) -> DataCollectionError:
    """An error of the SDK as one of ours, without a header or an address in it."""
    if not isinstance(err, APIStatusError):
        return BrowserUnavailable(
            f"{what} failed: Browserbase gave no answer", hint="try again later"
        )
    body = err.body
    said = body.get("message") if isinstance(body, dict) else None
    hints = {
        401: "is BROWSERBASE_API_KEY right?",
        402: "the plan's minutes are used up",
        403: "is the project that of the API key?",
        429: "fewer sessions at once, or a larger plan",
    }
    text = f"{what} failed: Browserbase said {err.status_code}"
    return BrowserUnavailable(
        f"{text}: {str(said)[:200]}" if said else text, hint=hints.get(err.status_code)
    )

"""A context that is there already, as a remote session has it, made what a scenario wants."""

from __future__ import annotations

from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Page

from checkpoint_assets.collection.browser.closed_search import register_engine_in
from checkpoint_assets.model.errors import InvalidScenario

# What Playwright sets when it makes a context, and how it is set afterwards.
_KNOWN = {
    *("viewport", "device_scale_factor", "is_mobile", "has_touch", "user_agent", "screen"),
    *("locale", "timezone_id", "extra_http_headers", "storage_state"),
}


async def furnish(
    context: BrowserContext, options: dict[str, Any], page: Page | None = None
) -> CDPSession:
    """Give the context's first page, or that one, these options of Playwright's ``new_context``.

    They last as long as the CDP session that is returned. Raises ``InvalidScenario`` for one that
    a context which is there already cannot be given.
    """
    if unknown := set(options) - _KNOWN:
        raise InvalidScenario(f"a remote session cannot be given {', '.join(sorted(unknown))}")
    await register_engine_in(context)
    page = page or (context.pages[0] if context.pages else await context.new_page())
    cdp = await context.new_cdp_session(page)
    size = options["viewport"]
    mobile = bool(options.get("is_mobile"))
    scale = options.get("device_scale_factor", 1)
    await page.set_viewport_size(size)
    if mobile or scale != 1:
        metrics = {**size, "deviceScaleFactor": scale, "mobile": mobile}
        await cdp.send("Emulation.setDeviceMetricsOverride", metrics)
    if options.get("has_touch"):
        await cdp.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    locale = options.get("locale")
    agent = options.get("user_agent")
    if locale or agent:
        agent = agent or await page.evaluate("navigator.userAgent")
        languages = {"acceptLanguage": locale} if locale else {}
        await cdp.send("Emulation.setUserAgentOverride", {"userAgent": agent, **languages})
    if locale:
        await cdp.send("Emulation.setLocaleOverride", {"locale": locale})
    if zone := options.get("timezone_id"):
        await cdp.send("Emulation.setTimezoneOverride", {"timezoneId": zone})
    if headers := options.get("extra_http_headers"):
        await context.set_extra_http_headers(headers)
    if state := options.get("storage_state"):
        await context.set_storage_state(state)
    await context.grant_permissions([])
    return cdp


async def target_id(cdp: CDPSession) -> str:
    """What CDP calls the page that the session is attached to, whoever is connected."""
    return (await cdp.send("Target.getTargetInfo"))["targetInfo"]["targetId"]


async def page_of(context: BrowserContext, target: str) -> Page | None:
    """The context's page of that target."""
    for page in context.pages:
        cdp = await context.new_cdp_session(page)
        found = await target_id(cdp)
        await cdp.detach()
        if found == target:
            return page
    return None

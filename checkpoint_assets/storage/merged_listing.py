"""Two listings as one, in the order of keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from checkpoint_assets.storage.store import ObjectInfo, Page

PAGE = 1000

# An entry of a listing: its key (a folder's ends in "/"), and the object if it is one.
Entry = tuple[str, ObjectInfo | None]


def entries(page: Page) -> list[Entry]:
    """The entries of a page, in the order of keys."""
    found: list[Entry] = [(info.key, info) for info in page.objects]
    found += [(folder, None) for folder in page.folders]
    # Text is compared by code points, which is the order of its UTF-8 bytes.
    found.sort(key=lambda entry: entry[0])
    return found


def pages(found: list[Entry]) -> Iterator[Page]:
    """The entries as pages, none of which is empty."""
    for begin in range(0, len(found), PAGE):
        part = found[begin : begin + PAGE]
        objects = [info for _, info in part if info is not None]
        yield Page(objects, [key for key, info in part if info is None])


async def merged(listing: AsyncIterator[Page], more: list[Entry]) -> AsyncIterator[Page]:
    """The listing, with the entries of ``more`` that it does not have. ``more`` is sorted.

    ``more`` is used up: after an error it holds what was not yielded.
    """
    async for page in listing:
        here = entries(page)
        last = here[-1][0]
        end = next((at for at, (key, _) in enumerate(more) if key > last), len(more))
        keys = {key for key, _ in here}
        new = [entry for entry in more[:end] if entry[0] not in keys]
        del more[:end]
        if new:
            for part in pages(sorted(here + new, key=lambda entry: entry[0])):
                yield part
        else:
            yield page
    rest, more[:] = more[:], []
    for part in pages(rest):
        yield part

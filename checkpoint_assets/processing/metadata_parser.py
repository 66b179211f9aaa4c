"""What a page says about itself, read from its HTML and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from checkpoint_assets.model.clock import isoformat, parse_isoformat
from checkpoint_assets.model.contract_records import CollectedData, ParsedMetadata
from checkpoint_assets.model.errors import ProcessingError
from checkpoint_assets.processing.dom import DOCUMENT, Node, parse_html

STEP_FORMAT = "checkpoint/step"
HTML_FORMAT = "text/html"
METADATA_FORMAT = "checkpoint/page"
LONGEST_TEXT = 1000
_MOST_OPEN_GRAPH = 50
_LONGEST_JSON = 100_000
# BCP 47, without the registry: a language, then subtags.
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_NAMES = {"description": "description", "robots": "robots", "author": "author"}
_TIMES = {
    "article:published_time": "published_at",
    "article:modified_time": "modified_at",
    "date": "published_at",
    "datepublished": "published_at",
    "datemodified": "modified_at",
}
_LINKED_TIMES = {"datePublished": "published_at", "dateModified": "modified_at"}


class PageMetadataParser:
    """Title, language, description, canonical URL, robots, times and Open Graph of a page.

    Keeps the contract of ``IMetadataParser``. Fields that the page does not have are missing;
    texts are cut at 1,000 characters, times are ISO 8601 in UTC.
    """

    def parse(self, data: CollectedData) -> ParsedMetadata:
        if data.data_format not in self.get_supported_formats():
            return self._unread(data, f"{data.data_format[:40]!r} is no format that is read here")
        page = data.metadata.get("page")
        url = page.get("url") if isinstance(page, dict) else data.metadata.get("url")
        try:
            document = parse_html(data.raw_data.decode(errors="replace"))
        except ProcessingError as err:
            return self._unread(data, err.message)
        return _parsed(data, *self.read(document, url))

    def read(self, document: Node, url: object = None) -> tuple[dict[str, Any], list[str]]:
        """The fields of a page that is parsed already, and everything that is wrong with them.

        Frames are pages of their own, and not read.
        """
        reader = _Reader(url if isinstance(url, str) else None)
        for node in document.walk(lambda node: node is document or _belongs(node)):
            reader.take(node)
        problems = dict.fromkeys([*reader.problems, *self._check(reader.fields)])
        return reader.fields, [*problems]

    def validate(self, metadata: ParsedMetadata) -> Sequence[str]:
        return [*dict.fromkeys([*metadata.problems, *self._check(metadata.fields)])]

    def get_supported_formats(self) -> Sequence[str]:
        return (STEP_FORMAT, HTML_FORMAT)

    def _unread(self, data: CollectedData, reason: str) -> ParsedMetadata:
        return _parsed(data, {}, [reason, *self._check({})])

    def _check(self, fields: Mapping[str, Any]) -> list[str]:
        problems = [] if fields.get("title") else ["there is no title"]
        language = fields.get("language")
        if language is None:
            problems.append("there is no language")
        elif not _LANGUAGE.fullmatch(str(language)):
            problems.append(f"the language {str(language)[:40]!r} is no language tag")
        problems.extend(
            f"{name} is no http or https address"
            for name in ("url", "canonical_url")
            if name in fields and not is_web_address(fields[name])
        )
        problems.extend(
            f"{name} is no time: {str(fields[name])[:40]!r}"
            for name in ("published_at", "modified_at")
            if name in fields and read_time(fields[name]) is None
        )
        return problems


def read_time(value: object) -> datetime | None:
    """The moment in ISO 8601, if it is one; without an offset it is taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        return parse_isoformat(value)
    except ValueError:
        pass
    try:
        return parse_isoformat(f"{value}T00:00:00Z" if "T" not in value else f"{value}Z")
    except ValueError:
        return None


def is_web_address(value: object) -> bool:
    """Whether it is an absolute ``http`` or ``https`` URL."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme in {"http", "https"} and bool(parts.hostname)


def _belongs(node: Node) -> bool:
    """Whether what is in the element says something about the page: no picture, no other page."""
    return node.tag not in {"svg", "template", DOCUMENT}


def _parsed(data: CollectedData, fields: dict[str, Any], problems: list[str]) -> ParsedMetadata:
    return ParsedMetadata(data.source_id, data.timestamp, METADATA_FORMAT, fields, tuple(problems))


class _Reader:
    """Takes one element after the other; what comes first counts."""

    def __init__(self, url: str | None) -> None:
        self.fields: dict[str, Any] = {}
        self.problems: list[str] = []
        self._url = url
        if url is not None:
            self.fields["url"] = url[:LONGEST_TEXT]

    def take(self, node: Node) -> None:
        match node.tag:
            case "html":
                self._put("language", node.get("lang"))
            case "title":
                if "title" in self.fields:
                    self.problems.append("there is more than one title")
                else:
                    self._put("title", node.text())
            case "meta":
                self._take_meta(node)
            case "link":
                self._take_link(node)
            case "script":
                self._take_script(node)
            case _:
                pass

    def _take_meta(self, node: Node) -> None:
        name = (node.get("name") or node.get("property") or node.get("itemprop")).lower()
        content = node.get("content")
        if name in _NAMES:
            self._put(_NAMES[name], content)
        elif name in _TIMES:
            self._put_time(_TIMES[name], content)
        elif name.startswith("og:"):
            graph: dict[str, str] = self.fields.setdefault("open_graph", {})
            if len(graph) < _MOST_OPEN_GRAPH:
                graph.setdefault(name[3:LONGEST_TEXT], _cut(content))

    def _take_link(self, node: Node) -> None:
        if "canonical" not in node.get("rel").lower().split():
            return
        try:
            address = urljoin(self._url or "", node.get("href"))
        except ValueError:
            address = node.get("href")
        if self.fields.get("canonical_url", address) != address:
            self.problems.append("there is more than one canonical URL")
        self._put("canonical_url", address)

    def _take_script(self, node: Node) -> None:
        # The capture keeps the type of a script under another name, so that nothing runs.
        kind = node.get("data-checkpoint-type") or node.get("type")
        if kind.lower() != "application/ld+json":
            return
        text = node.text()
        try:
            if len(text) > _LONGEST_JSON:
                raise ValueError
            for item in _linked_data(json.loads(text)):
                for said, name in _LINKED_TIMES.items():
                    if isinstance(item.get(said), str):
                        self._put_time(name, item[said])
        except (ValueError, RecursionError):
            self.problems.append("the linked data (JSON-LD) cannot be read")

    def _put(self, name: str, value: str) -> None:
        text = " ".join(value.split())
        if not text or name in self.fields:
            return
        if len(text) > LONGEST_TEXT:
            self.problems.append(f"{name} has {len(text)} characters")
        self.fields[name] = _cut(text)

    def _put_time(self, name: str, value: str) -> None:
        moment = read_time(value)
        self._put(name, value if moment is None else isoformat(moment))


def _linked_data(value: Any) -> Iterator[dict[str, Any]]:
    """The things at the top of a JSON-LD text."""
    graph = value.get("@graph", [value]) if isinstance(value, dict) else value
    if isinstance(graph, list):
        yield from (item for item in graph if isinstance(item, dict))


def _cut(text: str) -> str:
    return text[:LONGEST_TEXT]

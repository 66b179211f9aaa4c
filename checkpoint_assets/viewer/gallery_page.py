"""The gallery's document, for a folder and for the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.storage.session_filter import SessionFilter
from checkpoint_assets.viewer.captured_values import text
from checkpoint_assets.viewer.documents import render
from checkpoint_assets.viewer.isolation import FOLDER_POLICY, SERVED_POLICY
from checkpoint_assets.viewer.session_card import SessionCard


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sessions somebody wants to see; empty is any. Days are those of UTC, both included."""

    scenario: str = ""
    state: str = ""
    since: str = ""
    until: str = ""

    @property
    def anything(self) -> bool:
        """Whether it leaves sessions out."""
        return any(asdict(self).values())

    def where(self) -> SessionFilter:
        """As a filter of the store. Raises ``ValueError`` for a state or a day that is none."""
        where = SessionFilter()
        if self.scenario:
            where["scenario"] = self.scenario
        if self.state:
            where["state"] = SessionState(self.state)
        if self.since:
            where["since"] = _midnight(self.since)
        if self.until:
            where["until"] = _midnight(self.until) + timedelta(days=1)
        return where

    def address(self, before: str | None = None) -> str:
        """Where the newest of these sessions are, or those before one."""
        given = {**asdict(self), "before": before}
        return f"/?{urlencode({name: value for name, value in given.items() if value})}"


def gallery_page(
    url: str,
    cards: Sequence[tuple[SessionCard, bool]],
    *,
    served: bool,
    reports: bool = True,
    asked: Asked | None = None,
    newest: str | None = None,
    older: str | None = None,
    searched: str = "",
) -> str:
    """The document. Each card comes with whether it has a picture."""
    return render(
        "gallery.html",
        served=served,
        policy=SERVED_POLICY if served else FOLDER_POLICY,
        url=url,
        cards=cards,
        reports=reports,
        scenarios=sorted({card.scenario for card, _ in cards if card.scenario}),
        asked=asked or Asked(),
        newer=newest,
        older=older,
        searched=text(searched),
    )


def _midnight(day: str) -> datetime:
    found = date.fromisoformat(day)
    return datetime(found.year, found.month, found.day, tzinfo=UTC)

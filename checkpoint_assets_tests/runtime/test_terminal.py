"""The terminal: a line per step, a sign of life when nothing else is said, and never a command."""

from __future__ import annotations

import io
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.runtime.portal import Portal
from checkpoint_assets.runtime.terminal import QUIET_SECONDS, Terminal

NOW = datetime(2026, 1, 31, tzinfo=UTC)


class Screen(io.StringIO):
    """Remembers what is printed, and lets a test wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._written = threading.Condition()

    def write(self, text: str, /) -> int:
        with self._written:
            self._written.notify_all()
            return super().write(text)

    def wait_for(self, text: str, seconds: float = 10) -> None:
        with self._written:
            assert self._written.wait_for(lambda: text in self.getvalue(), seconds), text


def step(**data: Any) -> SystemEvent:
    known = {
        "scenario": "shop",
        "step_id": "0002-click",
        "selector": "#go",
        "outcome": "ok",
        "bytes": 12_345,
        "milliseconds": 67,
    }
    return SystemEvent(EventType.STEP_STORED, NOW, "collector", known | data)


def test_a_long_run_is_never_silent_for_more_than_five_seconds():
    assert QUIET_SECONDS < 5


def test_what_is_waited_for_is_named_after_a_quiet_time():
    screen = Screen()
    with Terminal(screen, quiet=0.02) as terminal:
        terminal.doing("waiting for the kettle")
        screen.wait_for("... waiting for the kettle (")
        terminal.doing("pouring")
        screen.wait_for("... pouring (")


def test_there_is_no_sign_of_life_while_something_is_said():
    screen = Screen()
    with Terminal(screen, quiet=60) as terminal:
        for _ in range(5):
            terminal.say("a line")
    assert screen.getvalue() == "a line\n" * 5


def test_after_the_end_nothing_is_said_any_more():
    screen = Screen()
    with Terminal(screen, quiet=0.01) as terminal:
        terminal.doing("waiting")
        screen.wait_for("waiting")
    before = screen.getvalue()
    time.sleep(0.05)
    assert screen.getvalue() == before


def test_each_step_is_a_line():
    screen, events = Screen(), EventEmitter()
    with Terminal(screen) as terminal, terminal.attached(events), Portal() as portal:
        portal.call(events.emit, step())
        portal.call(events.emit, step(step_id="0003-fill", outcome="failed", selector=None))
    first, second = screen.getvalue().splitlines()
    assert first.split() == ["shop", "0002-click", "#go", "67", "ms", "12", "kB"]
    assert second.split() == ["shop", "0003-fill", "67", "ms", "12", "kB", "failed"]


def test_detached_it_hears_nothing():
    screen, events = Screen(), EventEmitter()
    with Terminal(screen) as terminal, Portal() as portal:
        with terminal.attached(events):
            pass
        portal.call(events.emit, step())
    assert screen.getvalue() == ""


def test_sessions_that_end_badly_are_remembered():
    events = EventEmitter()
    ended = SystemEvent(EventType.COLLECTION_ERROR, NOW, "collector", {"session_id": "s"})
    with Terminal(Screen()) as terminal, terminal.attached(events), Portal() as portal:
        portal.call(events.emit, ended)
        assert terminal.ended == [ended]


@pytest.mark.parametrize(
    "text",
    [
        *("\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\x08", "\x7f", "a\nb"),
        *("\u202eabc", "\u2028", "\ud800"),
    ],
)
@pytest.mark.parametrize("way", ["line", "selector", "doing"])
def test_no_escape_sequence_reaches_the_terminal(text: str, way: str):
    screen = Screen()
    with Terminal(screen, quiet=0.01 if way == "doing" else 60) as terminal:
        match way:
            case "line":
                terminal.say(f"reason: {text}!")
            case "selector":
                with Portal() as portal:
                    portal.call(terminal.step_stored, step(selector=f"#a{text}!"))
            case _:
                terminal.doing(f"opening {text}!")
                screen.wait_for("!")
    shown = screen.getvalue()
    assert "!" in shown
    assert text not in shown
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_words_of_any_language_are_shown_as_they_are():
    screen = Screen()
    Terminal(screen).say("Größe: 3 × „grün“ 緑 😀")
    assert screen.getvalue() == "Größe: 3 × „grün“ 緑 😀\n"


def test_lines_of_many_threads_are_whole():
    screen = Screen()
    terminal = Terminal(screen)
    threads = [
        threading.Thread(target=lambda: [terminal.say("x" * 200) for _ in range(50)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert screen.getvalue().splitlines() == ["x" * 200] * 400

"""A report's first part: everything but pictures and pages. It is small, and shows at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from checkpoint_assets.viewer.documents import render, static_file
from checkpoint_assets.viewer.isolation import FOLDER_POLICY, SERVED_POLICY, single_file_policy
from checkpoint_assets.viewer.session_view import SessionView, StepRow

Form = Literal["single", "folder", "served"]


def report_script() -> str:
    """The one script of a single-file report."""
    return static_file("theme.js") + static_file("report.js")


def report_shell(session: SessionView, form: Form) -> str:
    """The document up to where the data of the steps follow; ``SHELL_END`` ends it."""
    policies = {"folder": FOLDER_POLICY, "served": SERVED_POLICY}
    return render(
        "report.html",
        session=session,
        form=form,
        policy=policies.get(form) or single_file_policy(report_script()),
        script=report_script() if form == "single" else "",
        data=shell_data(session, form),
    )


SHELL_END = "</body></html>\n"


def shell_data(session: SessionView, form: Form) -> dict[str, Any]:
    """What the script needs before the first step: the rows, with each address and title once."""
    urls = _numbered(row.url for row in session.steps)
    titles = _numbered(row.title for row in session.steps)
    return {
        "form": form,
        "urls": list(urls),
        "titles": list(titles),
        "rows": [_row(row, urls, titles) for row in session.steps],
    }


def _row(row: StepRow, urls: dict[str, int], titles: dict[str, int]) -> Sequence[Any]:
    return [
        row.step_id,
        row.kind,
        row.label,
        int(row.failed),
        round(row.milliseconds),
        row.flags,
        -1 if row.picture is None else row.picture,
        -1 if row.page is None else row.page,
        urls[row.url],
        titles[row.title],
    ]


def _numbered(values: Any) -> dict[str, int]:
    return {value: number for number, value in enumerate(dict.fromkeys(values))}

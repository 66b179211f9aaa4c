"""The command line: ``checkpoint``.

Exit codes: 0 all is well; 1 it could not be done, or something is not well (a session that is not
complete, a finding); 2 the call, a setting or a scenario file is wrong; 130 interrupted.
"""

from __future__ import annotations

import click

from checkpoint_assets.cli.capturing import capture, dev
from checkpoint_assets.cli.checking import config, doctor, drain, scenario, verify
from checkpoint_assets.cli.keeping import delete, expire, pin, restore, retain, sweep, unpin
from checkpoint_assets.cli.reading import export, get, ls, show
from checkpoint_assets.cli.viewing import gallery, report, serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="checkpoint_assets")
def main() -> None:
    """Capture browser sessions step by step and keep them as data assets."""


for command in (
    *(capture, dev, scenario),
    *(ls, show, get, export),
    *(report, gallery, serve),
    *(pin, unpin, expire, retain, delete, restore, sweep),
    *(verify, drain, config, doctor),
):
    main.add_command(command)

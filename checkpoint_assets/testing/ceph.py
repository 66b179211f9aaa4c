"""A real S3 server for tests: Ceph's object gateway with one disk, on 127.0.0.1.

It is durable (each write is synced before it is acknowledged), has versions, object lock and tags,
and really executes lifecycle rules; a "day" of a rule takes a few seconds. It comes from Debian::

    apt-get install --no-install-recommends ceph-mon ceph-osd radosgw ceph-common uuid-runtime

In a test::

    with Ceph() as ceph:
        client = boto3.client("s3", endpoint_url=ceph.endpoint_url, ...)

By hand, until Ctrl-C::

    python -m checkpoint_assets.testing.ceph

Everything is in one temporary folder, which goes when the server stops. No root is needed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

from checkpoint_assets.model.clock import Clock, system_clock

HOST = "127.0.0.1"
ACCESS_KEY = "ACCESSKEYTEST1"
SECRET_KEY = "SECRETKEYTEST1"  # noqa: S105 - of a server that lives as long as a test
PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common", "uuid-runtime")

_COMMANDS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "ceph-authtool")
_DISK_BYTES = 8 << 30  # sparse: it takes what is written
_OSD_PORTS = 100
_START_SECONDS = 120.0

# cephx stays on: without it radosgw hangs while it asks for its first ticket. A killed gateway is
# waited for by the next one that changes a bucket, until its watch has timed out.
_CONFIGURATION = """\
[global]
fsid = {cluster}
mon_host = [v2:{host}:{mon_port}/0]
mon_initial_members = a
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = {folder}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
mon_data = {folder}/mon
osd_data = {folder}/osd$id
log_file = {folder}/$name.log
run_dir = {folder}
admin_socket = {folder}/$name.asok
pid_file = {folder}/$name.pid
crash_dir = {folder}/crash
ms_bind_ipv6 = false
ms_bind_port_min = {osd_port}
ms_bind_port_max = {last_osd_port}
public_addr = {host}
cluster_addr = {host}
osd_objectstore = bluestore
bluestore_block_size = {disk_bytes}
osd_memory_target = 1073741824
osd_client_watch_timeout = 5

[client.rgw.a]
rgw_frontends = beast endpoint={host}:{port}
rgw_lc_debug_interval = {day}
"""
_KEYS = {
    "mon.": ["mon", "allow *"],
    "client.admin": ["mon", "allow *", "osd", "allow *", "mgr", "allow *"],
    "client.rgw.a": ["mon", "allow rw", "osd", "allow rwx", "mgr", "allow rw"],
    "osd.0": ["mon", "allow profile osd", "osd", "allow *", "mgr", "allow profile osd"],
}


class CephUnavailable(RuntimeError):
    """Ceph is not installed, or did not come up; the message says what is missing."""


def missing_commands() -> list[str]:
    """The commands that Ceph needs and this machine has not."""
    return [command for command in (*_COMMANDS, "monmaptool") if shutil.which(command) is None]


class Ceph:
    """One monitor, one disk and one gateway; a context manager that starts and stops them.

    A lifecycle rule's day lasts ``day`` seconds. ``kill`` and ``revive`` are for durability tests.
    """

    def __init__(self, *, day: int = 2, clock: Clock = system_clock) -> None:
        self._day = day
        self._clock = clock
        self._folder = Path()
        self._port = 0
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def endpoint_url(self) -> str:
        """What an S3 client wants to be told; the keys are ``ACCESS_KEY`` and ``SECRET_KEY``."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Make a new cluster and wait until it serves. Raises ``CephUnavailable``."""
        if missing := missing_commands():
            raise CephUnavailable(
                f"missing commands: {', '.join(missing)}; "
                f"apt-get install --no-install-recommends {' '.join(PACKAGES)}"
            )
        # Not below pytest's folder: the path of a unix socket ends at 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="ceph-"))
        try:
            self._make_cluster()
            self._start_gateway()
            self._make_user()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all processes and remove the folder."""
        self.kill("gateway", "disk", "monitor")
        if self._folder != Path():
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = Path()

    def kill(self, *names: str) -> None:
        """SIGKILL ``gateway``, ``disk`` or ``monitor``. Returns when they are dead."""
        for name in names:
            process = self._processes.pop(name, None)
            if process:
                process.kill()
                process.wait()

    def revive(self) -> None:
        """Start what was killed again, and wait until it serves."""
        if "disk" not in self._processes:
            self._start_disk()
        if "gateway" not in self._processes:
            self._start_gateway()

    def _make_cluster(self) -> None:
        folder = self._folder
        for name in ("mon", "osd0", "crash"):
            (folder / name).mkdir()
        cluster = str(uuid.uuid4())
        mon_port, osd_port = _free_port(), _free_port()
        self._port = _free_port()
        configuration = _CONFIGURATION.format(
            cluster=cluster,
            host=HOST,
            folder=folder,
            mon_port=mon_port,
            osd_port=min(osd_port, 65_535 - _OSD_PORTS),
            last_osd_port=min(osd_port, 65_535 - _OSD_PORTS) + _OSD_PORTS,
            disk_bytes=_DISK_BYTES,
            port=self._port,
            day=self._day,
        )
        (folder / "ceph.conf").write_text(configuration)
        self._run("ceph-authtool", "--create-keyring", "keyring")
        for name, caps in _KEYS.items():
            grants = [word for i in range(0, len(caps), 2) for word in ("--cap", *caps[i : i + 2])]
            self._run("ceph-authtool", "keyring", "--gen-key", "-n", name, *grants)
        self._run("monmaptool", "--create", "--fsid", cluster, "monmap")
        self._run("monmaptool", "--addv", "a", f"[v2:{HOST}:{mon_port}/0]", "monmap")
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring")
        self._spawn("monitor", "ceph-mon", "-i", "a", "-f")
        disk = str(uuid.uuid4())
        self._run("ceph", "osd", "new", disk)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        self._start_disk()

    def _start_disk(self) -> None:
        self._spawn("disk", "ceph-osd", "-i", "0", "-f")
        self._wait("the disk to be up", lambda: b" 1 up" in self._run("ceph", "osd", "stat"))

    def _start_gateway(self) -> None:
        self._spawn("gateway", "radosgw", "-n", "client.rgw.a", "-f")
        self._wait("the gateway to answer", self._answers)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint_url, timeout=2) as answer:  # noqa: S310 - http
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def _make_user(self) -> None:
        keys = [f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}"]
        user = ["--uid=test", "--display-name=test"]
        self._run("radosgw-admin", "user", "create", *user, *keys)

    def _environment(self) -> dict[str, str]:
        # Debian's own Python runs the ceph command: nothing of ours may reach it.
        kept = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
        return {**kept, "CEPH_CONF": str(self._folder / "ceph.conf")}

    def _run(self, *command: str) -> bytes:
        done = subprocess.run(  # noqa: S603 - commands of this module, no shell
            command,
            cwd=self._folder,
            env=self._environment(),
            capture_output=True,
            timeout=_START_SECONDS,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace")[-2000:]
            raise CephUnavailable(f"{' '.join(command)} failed ({done.returncode}): {said}")
        return done.stdout

    def _spawn(self, name: str, *command: str) -> None:
        output: IO[bytes]
        with (self._folder / f"{name}.out").open("ab") as output:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - as above
                command,
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = self._clock.monotonic() + _START_SECONDS
        while not ready():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    said = (self._folder / f"{name}.out").read_text(errors="replace")[-2000:]
                    raise CephUnavailable(f"the {name} ended ({process.returncode}): {said}")
            if self._clock.monotonic() > deadline:
                raise CephUnavailable(f"waited {_START_SECONDS:.0f} s in vain for {what}")
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def main(arguments: list[str] | None = None) -> None:
    """Run a server until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m checkpoint_assets.testing.ceph", description="A real S3 server, by Ceph."
    )
    parser.add_argument("--day", type=int, default=5, help="seconds that a lifecycle day lasts")
    options = parser.parse_args(arguments)
    stop = threading.Event()

    def ask_to_stop(number: int, frame: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    with Ceph(day=options.day) as ceph:
        sys.stdout.write(
            f"{ceph.endpoint_url}\n"
            f"AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={SECRET_KEY}\n"
        )
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()

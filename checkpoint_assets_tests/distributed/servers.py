"""Postgres and Redis as Debian ships them, on 127.0.0.1, each with a folder of its own.

They can be stopped and started again on their port, with their data.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import psycopg2
import redis

HOST = "127.0.0.1"
PASSWORD = "of a database that lives as long as a test"
_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def find_postgres() -> Path | None:
    """The folder of the newest Postgres server's programs, which Debian keeps out of the PATH."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    found = [folder for folder in folders if (folder / "postgres").exists()]
    return max(found, key=lambda folder: int(folder.parent.name), default=None)


def missing_servers() -> list[str]:
    """The Debian packages that this machine lacks."""
    missing = [] if find_postgres() else ["postgresql"]
    return missing if shutil.which("redis-server") else [*missing, "redis-server"]


class Server:
    """A process that listens on a port; ``stop`` and ``start`` keep port and data."""

    def __init__(self, name: str) -> None:
        self.port = free_port()
        # Not below pytest's folder: that one is closed to other users.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str | Path]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def prepare(self) -> None:
        """What is done once, before the first start."""

    @property
    def user(self) -> str | None:
        """Whom the process belongs to, if not to who runs the tests."""
        return None

    def start(self) -> None:
        """Returns when it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(self.answers)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Returns when it has ended. SIGINT is an orderly end, SIGKILL is a power cut."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while not ready():
            assert self._process is not None
            said = (self.folder / "log").read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)


class Postgres(Server):
    """One database, one user with a password. Root gives it to Debian's user ``postgres``."""

    def __init__(self) -> None:
        super().__init__("postgres")
        programs = find_postgres()
        assert programs is not None
        self._programs = programs

    @property
    def environment(self) -> dict[str, str]:
        """What libpq's clients, and the deployment's files, are told."""
        return {
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGUSER": "dagster",
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": "postgres",
        }

    @property
    def user(self) -> str | None:
        return "postgres" if os.geteuid() == 0 else None

    def prepare(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self.user:
            owner = pwd.getpwnam(self.user)
            for path in (self.folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        made = subprocess.run(
            [
                *(self._programs / "initdb", "--pgdata", self.folder / "data"),
                *("--username", "dagster", "--pwfile", secret, "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--locale", "C"),
            ],
            cwd=self.folder,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        assert made.returncode == 0, made.stderr

    def command(self) -> Sequence[str | Path]:
        options = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
        }
        return [
            *(self._programs / "postgres", "-D", self.folder / "data"),
            *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
        ]

    def answers(self) -> bool:
        try:
            psycopg2.connect(
                host=HOST,
                port=self.port,
                user="dagster",
                password=PASSWORD,
                dbname="postgres",
                connect_timeout=2,
            ).close()
        except psycopg2.OperationalError:
            return False
        return True


class Redis(Server):
    """Writes each change to its disk, as a broker should."""

    def __init__(self) -> None:
        super().__init__("redis")

    @property
    def environment(self) -> dict[str, str]:
        """Where Celery finds its broker and its results."""
        url = f"redis://{HOST}:{self.port}"
        return {"CELERY_BROKER_URL": f"{url}/0", "CELERY_RESULT_BACKEND": f"{url}/1"}

    def command(self) -> Sequence[str | Path]:
        return [
            *("redis-server", "--bind", HOST, "--port", str(self.port)),
            *("--dir", self.folder, "--save", "", "--appendonly", "yes"),
        ]

    def answers(self) -> bool:
        try:
            with redis.Redis(HOST, self.port, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

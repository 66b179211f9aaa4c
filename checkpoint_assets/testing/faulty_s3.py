"""An S3 server on 127.0.0.1 that holds its objects in memory and fails as it is told.

It speaks enough S3 for boto3 and obstore: buckets, versions, conditional writes, ranges, checksums,
multipart uploads, tags, lifecycle rules (kept, not executed). Signatures are not verified.

In a test::

    with FaultyS3(buckets=["checkpoints"]) as server:
        server.inject(Fault("slow_down", operation="PutObject", key="*.html", times=2))
        ...  # use server.endpoint_url with any access key
        assert server.counts["PutObject"] == 5

By hand::

    python -m checkpoint_assets.testing.faulty_s3 --port 0 --bucket checkpoints

which prints the server's URL. While it runs, ``POST /_control/faults`` with a JSON list such as
``[{"kind": "reset", "operation": "GetObject"}]`` injects faults, ``DELETE`` clears them, and
``GET /_control/counts`` tells how often each operation was asked for.

The faults are listed in :mod:`checkpoint_assets.testing.s3_faults`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Collection, Generator
from typing import Self

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.testing.http_server import HOST, ServerThread
from checkpoint_assets.testing.s3_bucket import Bucket, GeneratedObjects
from checkpoint_assets.testing.s3_faults import KINDS, Fault, FaultKind, S3FaultPlan
from checkpoint_assets.testing.s3_http import CONTROL, Connection, LoggedRequest
from checkpoint_assets.testing.s3_protocol import S3Answer, S3Error, S3Request, error_answer
from checkpoint_assets.testing.s3_service import S3Service

__all__ = ["KINDS", "Fault", "FaultKind", "FaultyS3", "GeneratedObjects", "LoggedRequest"]

LOGGED = 100_000


class FaultyS3:
    """The server, on a thread of its own; a context manager that starts and stops it.

    ``port=0`` takes any free port. ``access_keys`` are those that may come in (others get 403);
    ``None`` lets all in. Stopping keeps the objects: a started server has them again, on the same
    port. All methods may be called from any thread.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        buckets: Collection[str] = (),
        access_keys: Collection[str] | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._server = ServerThread("faulty-s3", port, self._serve)
        self._clock = clock
        self._lock = threading.Lock()
        self._service = S3Service(access_keys)
        self._faults = S3FaultPlan()
        self._requests: deque[LoggedRequest] = deque(maxlen=LOGGED)
        self._counts: Counter[str] = Counter()
        for name in buckets:
            self.create_bucket(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Returns when connections are accepted; raises ``OSError`` if that can't be."""
        self._server.start()

    def stop(self) -> None:
        """Stop listening and reset all connections. Objects and faults stay."""
        self._server.stop()

    @contextlib.contextmanager
    def away(self) -> Generator[None]:
        """Nobody listens on the port while the block runs: an outage."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @property
    def port(self) -> int:
        """The port; known once the server was started."""
        return self._server.port

    @property
    def endpoint_url(self) -> str:
        """``http://127.0.0.1:port``: what an S3 client wants to be told."""
        return f"http://{HOST}:{self.port}"

    def inject(self, *faults: Fault) -> None:
        """From now on these go wrong. Of those that decide a request, the first match counts."""
        self._faults.inject(faults)

    def clear_faults(self) -> None:
        """From now on everything goes well."""
        self._faults.clear()

    def pending_faults(self) -> list[Fault]:
        """The faults that have not hit as often as they may."""
        return self._faults.pending()

    @property
    def requests(self) -> list[LoggedRequest]:
        """The last hundred thousand requests, the oldest first."""
        with self._lock:
            return list(self._requests)

    @property
    def counts(self) -> Counter[str]:
        """How often each operation was asked for, under S3's own names of them."""
        with self._lock:
            return Counter(self._counts)

    def forget_requests(self) -> None:
        """Start the log and its counts anew."""
        with self._lock:
            self._requests.clear()
            self._counts.clear()

    def create_bucket(self, name: str, *, versioning: bool = False) -> None:
        """Make an empty bucket, without a request."""
        with self._lock:
            bucket = Bucket(name, self._clock.now())
            bucket.versioning = "Enabled" if versioning else ""
            self._service.buckets[name] = bucket

    def generate(self, bucket: str, objects: GeneratedObjects) -> None:
        """Let the bucket hold objects that are only computed: a million of them cost nothing."""
        with self._lock:
            self._service.buckets[bucket].generate(objects)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """The bytes of all current objects, by key."""
        with self._lock:
            place = self._service.buckets[bucket]
            found = (place.current(entry.key) for entry in place.entries(""))
            return {version.key: version.data for version in found if version}

    def uploads(self, bucket: str) -> list[str]:
        """The keys of multipart uploads that were neither completed nor aborted."""
        with self._lock:
            return [upload.key for upload in self._service.buckets[bucket].uploads.values()]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(
            reader,
            writer,
            answer=self._answer,
            faults=self._faults,
            clock=self._clock,
            log=self._note,
        ).serve()

    def _note(self, request: LoggedRequest) -> None:
        if request.bucket == CONTROL:
            return
        with self._lock:
            self._requests.append(request)
            self._counts[request.operation] += 1

    def _answer(self, request: S3Request) -> S3Answer:
        if request.bucket == CONTROL:
            return self._control(request)
        with self._lock:
            return self._service.answer(request)

    def _control(self, request: S3Request) -> S3Answer:
        match request.method, request.key:
            case "POST", "faults":
                try:
                    self.inject(*(Fault(**fault) for fault in json.loads(request.body)))
                except (TypeError, ValueError) as err:
                    return error_answer(S3Error("InvalidArgument", str(err)), "faults")
            case "DELETE", "faults":
                self.clear_faults()
            case "GET", "counts":
                body = json.dumps(self.counts).encode()
                return S3Answer(200, {"Content-Type": "application/json"}, body)
            case _:
                return error_answer(S3Error("NotImplemented"), request.key)
        return S3Answer(204)


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; the first line printed is the server's URL."""
    parser = argparse.ArgumentParser(
        prog="python -m checkpoint_assets.testing.faulty_s3",
        description="An S3 server in memory on 127.0.0.1 that fails as it is told.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--bucket", action="append", default=[], help="make this bucket at start")
    parser.add_argument("--access-key", action="append", help="let only this access key in")
    options = parser.parse_args(arguments)
    stop = threading.Event()

    def ask_to_stop(number: int, frame: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    with FaultyS3(
        port=options.port, buckets=options.bucket, access_keys=options.access_key
    ) as server:
        sys.stdout.write(f"{server.endpoint_url}\n")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()

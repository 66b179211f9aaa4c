"""Step-like objects with each client in turn: rate against plain obstore, and CPU per object."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

import obstore
from measuring import (
    Measured,
    Row,
    at_least,
    at_most,
    least_cpu,
    measure,
    median_ratio,
    median_seconds,
)
from storage_clients import (
    OBJECTS_A_STEP,
    Boto3,
    Ours,
    Plain,
    S5cmd,
    count_steps,
    obstore_client,
    our_manager,
)
from storage_servers import KEYS_A_SESSION, LISTED_BUCKET, LISTED_SESSIONS, Server

OPERATIONS = ("put", "get", "list", "delete")
RATE_TARGETS = {"put": 0.9, "get": 0.88}
CPU_TARGET = 250
LIST_TARGET = 8


def compare_rates(server: Server, steps: int, rounds: int) -> list[Row]:
    clients = [Plain, Ours, Boto3, S5cmd] if S5cmd.program else [Plain, Ours, Boto3]
    count = steps * OBJECTS_A_STEP
    found: dict[tuple[str, str], list[Measured]] = {}
    bucket = f"bench-{uuid.uuid4().hex[:8]}"
    server.boto3().create_bucket(Bucket=bucket)
    for number in range(rounds):
        # Each is the first in turn: a server gets slower as it fills.
        turn = number % len(clients)
        running = [
            make(server, bucket, f"{make.name}{number}", steps)
            for make in clients[turn:] + clients[:turn]
        ]
        for operation in OPERATIONS:
            for client in running:
                run: Callable[[], object] = getattr(client, operation)
                found.setdefault((operation, client.name), []).append(measure(run))
        for client in running:
            client.close()
    print(f"\n{count} objects of {steps} steps on {server.name}, medians of {rounds} rounds")
    print(f"| {'':6} | client  | objects/s | of obstore | CPU us/object |")
    print("|--------|---------|-----------|------------|---------------|")
    rows: list[Row] = []
    for operation in OPERATIONS:
        base = found[operation, Plain.name]
        for client in clients:
            runs = found[operation, client.name]
            ratio, cpu = median_ratio(base, runs), least_cpu(runs) / count * 1e6
            rate = count / median_seconds(runs)
            print(
                f"| {operation:6} | {client.name:7} | {rate:9.0f} | {ratio:9.2f}x | {cpu:13.0f} |"
            )
            if client is Ours and operation in RATE_TARGETS:
                if server.name == "ceph":
                    what = f"{operation} on {server.name}, of plain obstore's rate"
                    rows.append(at_least(what, ratio, RATE_TARGETS[operation]))
                else:
                    what = f"{operation}, CPU per object"
                    rows.append(at_most(what, cpu, CPU_TARGET, "us"))
    return rows


def compare_listing(server: Server, rounds: int) -> list[Row]:
    """All steps of many sessions, in a bucket that the server makes up."""
    keys = LISTED_SESSIONS * KEYS_A_SESSION
    plain = obstore_client(server, LISTED_BUCKET)
    manager = our_manager(server, LISTED_BUCKET, "")
    asyncio.run(manager.connect())

    def list_plainly() -> None:
        assert sum(len(page) for page in obstore.list(plain, chunk_size=1000)) >= keys

    def list_ours() -> None:
        assert asyncio.run(count_steps(manager)) == keys // OBJECTS_A_STEP

    base = [measure(list_plainly) for _ in range(rounds)]
    ours = [measure(list_ours) for _ in range(rounds)]
    cpu, plain_cpu = least_cpu(ours) / keys * 1e6, least_cpu(base) / keys * 1e6
    print(
        f"\n{keys} keys of {LISTED_SESSIONS} sessions listed: {cpu:.1f} us CPU a key "
        f"(plain obstore, in one listing: {plain_cpu:.1f})"
    )
    return [at_most("listing into steps, CPU per key", cpu, LIST_TARGET, "us")]

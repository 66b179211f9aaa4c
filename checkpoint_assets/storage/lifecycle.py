"""The bucket's lifecycle rules, as far as they are ours.

Ours abort multipart uploads that nobody finished and remove delete markers with nothing below.
Versions that were replaced expire only on request. Rules of others are left as they are: setting
rules replaces all of them, so they are read, merged and written together.
"""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checkpoint_assets.model.errors import DeleteRefused, InvalidInput, NotSupported
from checkpoint_assets.storage.keys import RETENTION
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_control import S3Control
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.wrapper import innermost

ABORT_UPLOADS_AFTER_DAYS = 2
_OURS = "checkpoint-assets"
# The most rules that a bucket has.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class LifecycleChange:
    """The rules before and after, and the difference as text. Empty: nothing to do."""

    before: Sequence[dict[str, Any]]
    after: Sequence[dict[str, Any]]
    applied: bool

    @property
    def difference(self) -> str:
        """A unified diff, for people."""
        return "\n".join(
            difflib.unified_diff(
                _lines(self.before), _lines(self.after), "rules now", "rules then", lineterm=""
            )
        )


def _lines(rules: Sequence[dict[str, Any]]) -> list[str]:
    return json.dumps(list(rules), indent=2, sort_keys=True, default=str).splitlines()


def our_rules(prefix: str, expire_versions_after_days: int | None) -> list[dict[str, Any]]:
    """The rules that this store wants for the keys below its prefix."""
    name = f"{_OURS}:{prefix or '/'}"
    where = {"Prefix": f"{prefix}/" if prefix else ""}
    rules: list[dict[str, Any]] = [
        {
            "ID": f"{name}:abort-uploads",
            "Filter": where,
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_UPLOADS_AFTER_DAYS},
        },
        {
            "ID": f"{name}:delete-markers",
            "Filter": where,
            "Status": "Enabled",
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
    ]
    if expire_versions_after_days is not None:
        rules.append(
            {
                "ID": f"{name}:old-versions",
                "Filter": where,
                "Status": "Enabled",
                "NoncurrentVersionExpiration": {"NoncurrentDays": expire_versions_after_days},
            }
        )
    return rules


async def sync_rules(
    store: Store, *, expire_versions_after_days: int | None, dry_run: bool
) -> LifecycleChange:
    """Our rules of the bucket are these. Raises ``NotSupported`` where there is no bucket.

    Expiry of old versions is refused (``DeleteRefused``) while a pinned session has some: a rule
    cannot leave a session out.
    """
    bucket = innermost(store)
    if not isinstance(bucket, S3Store):
        raise NotSupported(f"{store.url} is no bucket and has no lifecycle rules")
    if expire_versions_after_days is not None:
        if expire_versions_after_days < 1:
            raise InvalidInput("versions expire after at least 1 day")
        await _refuse_for_pinned_versions(store)
    before = await asyncio.to_thread(read_rules, bucket.control)
    name = f"{_OURS}:{bucket.prefix or '/'}:"
    others = [rule for rule in before if not rule.get("ID", "").startswith(name)]
    after = others + our_rules(bucket.prefix, expire_versions_after_days)
    if len(after) > _MOST:
        raise NotSupported(f"a bucket has at most {_MOST} rules; {len(others)} are of others")
    changed = _lines(before) != _lines(after)
    if changed and not dry_run:
        await asyncio.to_thread(write_rules, bucket.control, after)
    return LifecycleChange(before, after if changed else before, changed and not dry_run)


async def _refuse_for_pinned_versions(store: Store) -> None:
    async for page in store.list(f"{RETENTION}/pins/"):
        for info in page.objects:
            session_id = info.key.rpartition("/")[2].removesuffix(".json")
            async for versions in store.list_versions(f"{session_id}/"):
                if any(not version.latest for version in versions):
                    raise DeleteRefused(
                        f"session {session_id} is pinned and has older versions",
                        session_id=session_id,
                        hint="a lifecycle rule would remove them; unpin it, or keep versions",
                    )


def read_rules(control: S3Control) -> list[dict[str, Any]]:
    """The rules of the bucket. Blocks."""
    with control.asking(f"reading the lifecycle rules of {control.bucket}") as client:
        try:
            return client.get_bucket_lifecycle_configuration(Bucket=control.bucket)["Rules"]
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
                return []
            raise


def write_rules(control: S3Control, rules: list[dict[str, Any]]) -> None:
    """These are the rules of the bucket now, all of them. Blocks."""
    with control.asking(f"writing the lifecycle rules of {control.bucket}") as client:
        client.put_bucket_lifecycle_configuration(
            Bucket=control.bucket, LifecycleConfiguration={"Rules": rules}
        )

"""Where a store is, from a URL, from arguments or from the environment, in this order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from checkpoint_assets.model.errors import InvalidConfiguration

DEFAULT_S3_REGION = "us-west-2"
DEFAULT_LOCAL_BASE_PATH = "./.storage_data"

# docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; other servers take more.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()=-]+(?:/[A-Za-z0-9!_.*'()=-]+)*", re.ASCII)
# S3 keys end at 1024 bytes; the longest of our own keys takes fewer than 400.
_LONGEST_PREFIX = 600
_HINT = "use s3://bucket/prefix, file:///folder or memory://name"


@dataclass(frozen=True, slots=True)
class Location:
    """A place to store in. ``region`` and ``endpoint_url`` count for S3 only.

    ``local_base_path`` is the local folder that is configured, used as the store or not.
    """

    kind: Literal["s3", "local", "memory"]
    local_base_path: Path
    bucket: str | None = None
    prefix: str = ""
    region: str = DEFAULT_S3_REGION
    endpoint_url: str | None = None
    name: str = ""


def find_location(
    url: str | None,
    *,
    prefer_s3: bool,
    bucket: str | None,
    region: str | None,
    endpoint_url: str | None,
    local_base_path: str | Path | None,
    environment: Mapping[str, str],
) -> Location:
    """The place that these name. Raises ``InvalidConfiguration``."""
    region = region or environment.get("SM_S3_REGION") or DEFAULT_S3_REGION
    endpoint_url = endpoint_url or environment.get("SM_S3_ENDPOINT_URL") or None
    folder = local_base_path or environment.get("SM_LOCAL_BASE_PATH") or DEFAULT_LOCAL_BASE_PATH
    base = Path(folder).expanduser().absolute()
    if url is not None:
        return _from_url(url, base, region, endpoint_url)
    bucket = bucket or environment.get("SM_S3_BUCKET_NAME") or None
    if prefer_s3 and bucket:
        return Location("s3", base, _bucket(bucket), "", region, endpoint_url)
    return Location("local", base, region=region, endpoint_url=endpoint_url)


def _from_url(url: str, base: Path, region: str, endpoint_url: str | None) -> Location:
    try:
        parts = urlsplit(url)
    except (ValueError, AttributeError) as error:  # half of an IPv6 address; no text at all
        raise InvalidConfiguration(f"{url!r} is no storage URL: {error}", hint=_HINT) from error
    if parts.query or parts.fragment or parts.username or parts.password:
        raise InvalidConfiguration(
            "a storage URL has no query, fragment or user", hint="use s3://bucket/prefix"
        )
    if parts.scheme == "s3":
        prefix = _prefix(parts.path.strip("/"))
        return Location("s3", base, _bucket(parts.netloc), prefix, region, endpoint_url)
    if parts.scheme == "file":
        path = Path(unquote(parts.path))
        if parts.netloc not in ("", "localhost") or not path.is_absolute():
            raise InvalidConfiguration(f"{url!r} names no folder", hint="use file:///folder")
        return Location("local", path, region=region, endpoint_url=endpoint_url)
    if parts.scheme == "memory":
        return Location("memory", base, name=parts.netloc + parts.path.rstrip("/"))
    raise InvalidConfiguration(f"{url!r} is no storage URL", hint=_HINT)


def _bucket(name: str) -> str:
    if not _BUCKET.fullmatch(name) or ".." in name:
        raise InvalidConfiguration(f"{name!r} cannot be the name of a bucket")
    return name


def _prefix(prefix: str) -> str:
    if not prefix:
        return ""
    plain = _PREFIX.fullmatch(prefix) and not {".", ".."} & set(prefix.split("/"))
    if not plain or len(prefix) > _LONGEST_PREFIX:
        raise InvalidConfiguration(
            f"{prefix!r} cannot be a prefix", hint="use letters, digits, '-', '_', '.' and '/'"
        )
    return prefix

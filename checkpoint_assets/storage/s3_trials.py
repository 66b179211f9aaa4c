"""Questions to a bucket that only boto3 can ask; each blocks, and tries on a key of the probe."""

from __future__ import annotations

import base64
import hashlib

from checkpoint_assets.model.errors import Conflict, S3OperationError
from checkpoint_assets.storage.s3_control import S3Control


def refuses_upload_over(control: S3Control, key: str) -> bool:
    """Whether a create-only multipart upload over an object that is there is refused."""
    upload = control.begin_upload(key, {})
    try:
        part = control.send_part(key, upload, 1, b"other")
        control.complete_upload(key, upload, [part], {"IfNoneMatch": "*"})
    except Conflict:
        return True
    finally:
        control.abort_upload(f"{key}?uploadId={upload}")
    return False


def refuses_wrong_checksum(control: S3Control, key: str) -> bool:
    """Whether bytes that are not those of the checksum are refused."""
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    try:
        with control.asking(f"writing {key}", key) as client:
            client.put_object(
                Bucket=control.bucket,
                Key=control.full_key(key),
                Body=b"these",
                ChecksumSHA256=wrong,
            )
    except S3OperationError:
        return True
    return False


def keeps_tags(control: S3Control, key: str) -> bool:
    """Whether a tag that was put on an object is there."""
    tags = [{"Key": "probe", "Value": "1"}]
    where = {"Bucket": control.bucket, "Key": control.full_key(key)}
    with control.asking(f"tagging {key}", key) as client:
        client.put_object_tagging(**where, Tagging={"TagSet": tags})
        return client.get_object_tagging(**where)["TagSet"] == tags


def has_lifecycle(control: S3Control) -> bool:
    """Whether the server knows of lifecycle rules. That it follows them, no request can tell."""
    with control.asking(f"reading the lifecycle rules of {control.bucket}") as client:
        try:
            client.get_bucket_lifecycle_configuration(Bucket=control.bucket)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
                return True
            raise
    return True

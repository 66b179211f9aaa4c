"""The two clients of a bucket: boto3 for control, obstore for data, from one set of credentials.

The boto3 client comes from a factory and is made at the first use, in a thread: making one takes
up to half a second. obstore gets its region, endpoint and credentials from that client, so both
always speak to the same place as the same user.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.credentials import Credentials
from obstore.store import S3Store as ObstoreS3

from checkpoint_assets.model.errors import S3ConfigError
from checkpoint_assets.storage.s3_errors import s3_error

if TYPE_CHECKING:
    from obstore.store import S3Config

# boto3 makes its clients' types at run time; what we use of one is checked by our tests.
S3Client = Any
S3ClientFactory = Callable[[], S3Client]

# Seconds. A server that is there accepts in far less; one that is not must be told soon.
CONNECT_TIMEOUT = 2.0
REQUEST_TIMEOUT = 30.0
# Role credentials are renewed ahead of their end; asking often keeps obstore's copy valid.
_CREDENTIALS_LIFE = timedelta(minutes=5)


def default_client_factory(region: str, endpoint_url: str | None = None) -> S3ClientFactory:
    """Makes clients from the AWS default chain: environment, profile, role.

    Retries are switched off: the store's own retry wrapper counts and logs each one.
    """

    def make() -> S3Client:
        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=2 * REQUEST_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=16,
        )
        session = boto3.Session(region_name=region)
        return session.client("s3", region_name=region, endpoint_url=endpoint_url, config=config)

    return make


class S3Clients:
    """Makes both clients once, on demand, from whichever thread asks first."""

    def __init__(
        self, bucket: str, prefix: str, factory: S3ClientFactory, request_timeout: float
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._factory = factory
        self._timeout = timedelta(seconds=request_timeout)
        self._lock = threading.Lock()
        self._control: S3Client | None = None
        self._data: ObstoreS3 | None = None

    @property
    def ready(self) -> ObstoreS3 | None:
        """The data client, if it has been made: then nobody needs to leave the event loop."""
        return self._data

    def control(self) -> S3Client:
        """The boto3 client. Raises ``S3ConfigError``."""
        with self._lock:
            return self._make_control()

    def data(self) -> ObstoreS3:
        """The obstore client. Raises ``S3ConfigError``."""
        with self._lock:
            if self._data is None:
                self._data = self._make_data(self._make_control())
            return self._data

    def _make_control(self) -> S3Client:
        if self._control is None:
            try:
                self._control = self._factory()
            except Exception as error:  # whatever a factory raises: there is no client
                raise s3_error(error, "making the S3 client") from error
        return self._control

    def _make_data(self, client: S3Client) -> ObstoreS3:
        endpoint: str = client.meta.endpoint_url
        address = urlsplit(endpoint)
        host = address.hostname or ""
        on_aws = host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
        # Dots in a bucket's name break the certificate of a virtual host.
        config: S3Config = {
            "region": client.meta.region_name,
            "virtual_hosted_style_request": on_aws and "." not in self._bucket,
        }
        if not on_aws:
            config["endpoint"] = endpoint
        return ObstoreS3(
            self._bucket,
            prefix=self._prefix or None,
            config=config,
            credential_provider=_ClientCredentials(client),
            client_options={
                "allow_http": address.scheme == "http",
                "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT),
                "timeout": self._timeout,
            },
            # Retries belong to the retry wrapper, which counts and logs each one.
            retry_config={"max_retries": 0, "retry_timeout": self._timeout},
        )


class _ClientCredentials:
    """Hands the credentials of a boto3 client to obstore, renewed by botocore as they age."""

    def __init__(self, client: S3Client) -> None:
        # botocore has no public way from a client to its credentials.
        credentials: Credentials | None = client._get_credentials()
        if credentials is None:
            raise S3ConfigError(
                "no AWS credentials found",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or configure a profile",
            )
        self._credentials = credentials

    def __call__(self) -> Any:
        frozen = self._credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _CREDENTIALS_LIFE,
        }

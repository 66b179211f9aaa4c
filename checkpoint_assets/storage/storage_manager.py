"""The StorageManager: sessions and steps, over whichever store is configured."""

from __future__ import annotations

from checkpoint_assets.storage.manager_backends import BackendMethods
from checkpoint_assets.storage.manager_retention import RetentionMethods
from checkpoint_assets.storage.manager_sessions import SessionMethods
from checkpoint_assets.storage.manager_steps import StepContents, StepMethods
from checkpoint_assets.storage.manager_upkeep import UpkeepMethods

__all__ = ["StepContents", "StorageManager"]


class StorageManager(BackendMethods, StepMethods, SessionMethods, RetentionMethods, UpkeepMethods):
    """Stores steps so that none is lost or torn, and reads back exactly what was stored.

    ``url`` is ``s3://bucket/prefix``, ``file:///folder`` or ``memory://name``; without one the
    arguments decide, then ``SM_S3_BUCKET_NAME``, ``SM_S3_REGION``, ``SM_S3_ENDPOINT_URL`` and
    ``SM_LOCAL_BASE_PATH``. The constructor touches no network. One manager may be used from many
    threads and event loops.

    ``layout`` is that of new steps, ``flat`` or ``nested``; both are read. ``retry`` says how
    patient a bucket is used, ``concurrency`` how many steps of a batch are under way, ``grace``
    how long what was deleted can be restored. ``spool_path``, ``spool_floor_bytes`` and
    ``spool_listener`` are about the spool of a bucket. ``racy_creates`` accepts a store that does
    not honour create-only writes: two writers of one step may then both succeed. ``store``,
    ``clock``, ``environment`` and ``s3_client_factory`` take the place of the real ones.

    Errors: ``StorageManagerError`` and those below it, ``InvalidInput`` for what is refused
    before anything is done.
    """

"""The suite of StorageManager behaviours, over any store. Public: run it over your store, too.

See :mod:`checkpoint_assets.testing.store_suite` for how; a subclass needs the same fixture
``store``, and may override ``make_manager``.
"""

from __future__ import annotations

from checkpoint_assets.testing.suites.manager_batches import BatchTests
from checkpoint_assets.testing.suites.manager_concurrency import ManagerConcurrencyTests
from checkpoint_assets.testing.suites.manager_deleting import ManagerDeletingTests
from checkpoint_assets.testing.suites.manager_integrity import IntegrityTests
from checkpoint_assets.testing.suites.manager_listing import ManagerListingTests
from checkpoint_assets.testing.suites.manager_refusals import RefusalTests
from checkpoint_assets.testing.suites.manager_retention import RetentionTests
from checkpoint_assets.testing.suites.manager_sessions import SessionTests
from checkpoint_assets.testing.suites.manager_steps import StepTests
from checkpoint_assets.testing.suites.manager_verifying import VerifyingTests
from checkpoint_assets.testing.suites.manager_versions import ManagerVersionTests


class StorageManagerSuite(
    StepTests,
    RefusalTests,
    SessionTests,
    ManagerListingTests,
    BatchTests,
    ManagerDeletingTests,
    RetentionTests,
    ManagerVersionTests,
    IntegrityTests,
    VerifyingTests,
    ManagerConcurrencyTests,
):
    """What the StorageManager promises on every store: invariants I1 to I5 and I9, as tests."""

"""A disk that is full at any write of a step: told by type, nothing lost, well again when freed."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from checkpoint_assets.model.errors import StorageFull
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.fault.invariants import assert_invariants
from checkpoint_assets_tests.fault.ledger import Content, Ledger

pytestmark = pytest.mark.fault

PAGE = os.sysconf("SC_PAGE_SIZE")
# Each file is larger than the one before, so that each in its turn is the first that does not fit.
CONTENT: Content = (
    "h" * PAGE,
    b"w" * 2 * PAGE,
    {"note": "a" * 3 * PAGE},
    {"note": "m" * 4 * PAGE},
)
FILES = {".html", ".webp", ".action.json", ".metadata.json"}


class SmallDisk:
    """A file system of a known size, and a ballast that leaves a part of it free."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ballast = root / "ballast"

    def leave_free(self, size: int) -> None:
        self._ballast.unlink(missing_ok=True)
        status = os.statvfs(self.root)
        with self._ballast.open("wb") as file:
            file.write(bytes(max(0, status.f_bavail * status.f_frsize - size)))

    def leave_files(self, count: int) -> None:
        """Leave this many files that can be made; the bytes are free."""
        folder = self.root / "many"
        folder.mkdir(exist_ok=True)
        for number in range(os.statvfs(self.root).f_favail - count):
            (folder / str(number)).touch()

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)
        for file in (self.root / "many").glob("*"):
            file.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    root = tmp_path / "disk"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,nr_inodes=64", "tmpfs", str(root)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here; the file-size limit is tried instead")
    yield SmallDisk(root)
    subprocess.run(["umount", "--lazy", str(root)], check=True)


@contextmanager
def largest_file(size: int) -> Generator[None]:
    """No file of this process can grow beyond ``size``; the kernel says EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Attempts:
    """Stores steps where some fail, and knows what has to be there."""

    def __init__(self, manager: StorageManager) -> None:
        self.manager = manager
        self.ledger = Ledger()
        self.failed: set[str] = set()

    async def store(self, step: str) -> bool:
        entry = self.ledger.begin("store", ("s1", step), CONTENT)
        try:
            await self.manager.store_step_data("s1", step, *CONTENT)
        except StorageFull as error:
            self.failed.add((error.key or "").removeprefix(f"s1/{step}"))
            return False
        self.ledger.end(entry)
        return True

    async def check(self) -> None:
        await assert_invariants(self.manager, self.ledger)


async def test_full_disk_is_told_at_every_write_and_harms_nothing(small_disk: SmallDisk):
    attempts = Attempts(StorageManager((small_disk.root / "store").as_uri()))
    await attempts.store("before")
    outcomes: list[bool] = []
    for pages in range(16):
        small_disk.leave_free(pages * PAGE)
        step = f"{pages:02d}"
        outcomes.append(await attempts.store(step))
        await attempts.check()
        small_disk.free()
        # The same step goes in as if nothing had been.
        assert await attempts.store(step)
        await attempts.check()
        await attempts.manager.delete_step("s1", step, permanent=True)
        attempts.ledger.forget(("s1", step))
    assert not outcomes[0]
    assert outcomes[-1]
    assert attempts.failed <= FILES
    assert ".metadata.json" in attempts.failed


async def test_disk_without_room_for_another_file_is_told_and_harms_nothing(
    small_disk: SmallDisk,
):
    attempts = Attempts(StorageManager((small_disk.root / "store").as_uri()))
    await attempts.store("before")
    outcomes: list[bool] = []
    for files in range(10):
        small_disk.leave_files(files)
        step = f"{files:02d}"
        outcomes.append(await attempts.store(step))
        await attempts.check()
        small_disk.free()
        assert await attempts.store(step)
        await attempts.check()
        await attempts.manager.delete_step("s1", step, permanent=True)
        attempts.ledger.forget(("s1", step))
    assert not outcomes[0]
    assert outcomes[-1]


async def test_full_disk_is_freed_by_deleting_for_good(small_disk: SmallDisk):
    manager = StorageManager((small_disk.root / "store").as_uri())
    await manager.store_step_data("s1", "1", *CONTENT)
    await manager.store_step_data("s1", "2", *CONTENT)
    small_disk.leave_free(0)
    with pytest.raises(StorageFull):
        await manager.store_step_data("s1", "3", *CONTENT)
    await manager.delete_step("s1", "1", permanent=True)
    await manager.store_step_data("s1", "3", "<p>")
    assert await manager.list_steps_for_session("s1") == ["2", "3"]


async def test_limit_of_file_size_at_every_write_is_told_and_harms_nothing(tmp_path: Path):
    attempts = Attempts(StorageManager((tmp_path / "store").as_uri()))
    await attempts.store("before")
    sizes = {pages * PAGE + more for pages in range(6) for more in (0, 1, 64)}
    outcomes: list[bool] = []
    for size in sorted(sizes):
        step = f"{size:06d}"
        with largest_file(size):
            outcomes.append(await attempts.store(step))
            await attempts.check()
        assert await attempts.store(step)
        await attempts.check()
    assert not outcomes[0]
    assert outcomes[-1]
    assert attempts.failed == FILES

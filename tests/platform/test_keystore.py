"""Key-encryption keys in a file, data keys by tenant: made once, agreed on by everybody, gone when shredded."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from backoffice.platform.crypto import (
    CannotOpen,
    Cell,
    Ciphers,
    DataKeyRow,
    FileKeyStore,
    KeyDestroyed,
    KeyMissing,
    KeyStoreFault,
)

TENANT = uuid.UUID("01930000-0000-7000-8000-000000000001")
OTHER = uuid.UUID("01930000-0000-7000-8000-000000000002")
CELL = Cell("worker", "ssn", uuid.UUID(int=9))
KEY = bytes(range(32))


@pytest.fixture
def store(tmp_path: Path) -> FileKeyStore:
    return FileKeyStore(tmp_path / "state" / "keys.json")


class Table:
    """`app.data_key` as far as `Ciphers` sees it: insert or leave, and read."""

    def __init__(self) -> None:
        self.rows: dict[tuple[uuid.UUID, int], tuple[bytes, str]] = {}
        self.loads = 0

    async def load(self, tenant_id: uuid.UUID) -> list[DataKeyRow]:
        self.loads += 1
        await asyncio.sleep(0)
        return [
            (version, wrapped, state)
            for (tenant, version), (wrapped, state) in sorted(self.rows.items(), key=lambda row: row[0][1])
            if tenant == tenant_id
        ]

    async def store(self, tenant_id: uuid.UUID, version: int, wrapped: bytes) -> None:
        await asyncio.sleep(0)
        self.rows.setdefault((tenant_id, version), (wrapped, "active"))


def test_wrapped_keys_come_back(store: FileKeyStore) -> None:
    async def scenario() -> None:
        wrapped = await store.wrap(TENANT, 1, KEY)
        assert KEY not in wrapped
        assert await FileKeyStore(store.path).unwrap(TENANT, 1, wrapped) == KEY

    asyncio.run(scenario())
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_wrapped_key_belongs_to_its_tenant_and_version(store: FileKeyStore) -> None:
    async def scenario() -> None:
        wrapped = await store.wrap(TENANT, 1, KEY)
        await store.wrap(OTHER, 1, KEY)
        damaged = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
        for tenant, version, token in (
            (OTHER, 1, wrapped),
            (TENANT, 2, wrapped),
            (TENANT, 1, damaged),
            (TENANT, 1, b""),
        ):
            with pytest.raises(CannotOpen):
                await store.unwrap(tenant, version, token)

    asyncio.run(scenario())


def test_a_lost_key_file_is_told_and_not_replaced_when_opening(store: FileKeyStore) -> None:
    async def scenario() -> None:
        wrapped = await store.wrap(TENANT, 1, KEY)
        store.path.unlink()
        with pytest.raises(KeyMissing, match="put back the key file"):
            await store.unwrap(TENANT, 1, wrapped)
        assert not store.path.exists()
        await store.wrap(TENANT, 1, KEY)  # a fresh file with a fresh key
        with pytest.raises(CannotOpen):
            await store.unwrap(TENANT, 1, wrapped)

    asyncio.run(scenario())


def test_a_shredded_tenant_stays_shredded(store: FileKeyStore) -> None:
    async def scenario() -> None:
        wrapped = await store.wrap(TENANT, 1, KEY)
        kept = await store.wrap(OTHER, 1, KEY)
        await store.destroy(TENANT)
        with pytest.raises(KeyDestroyed):
            await store.unwrap(TENANT, 1, wrapped)
        with pytest.raises(KeyDestroyed):
            await store.wrap(TENANT, 1, KEY)
        with pytest.raises(KeyDestroyed):
            await store.rotate(TENANT)
        assert await store.unwrap(OTHER, 1, kept) == KEY
        assert json.loads(store.path.read_text())["keks"][str(TENANT)] is None

    asyncio.run(scenario())


def test_a_rotated_kek_wraps_and_the_old_one_still_unwraps(store: FileKeyStore) -> None:
    async def scenario() -> None:
        old = await store.wrap(TENANT, 1, KEY)
        assert await store.rotate(TENANT) == 2
        new = await store.wrap(TENANT, 1, KEY)
        assert old[1:3] == b"\x00\x01"
        assert new[1:3] == b"\x00\x02"
        assert await store.unwrap(TENANT, 1, old) == await store.unwrap(TENANT, 1, new) == KEY

    asyncio.run(scenario())


def test_a_file_that_others_can_read_is_refused(store: FileKeyStore) -> None:
    asyncio.run(store.wrap(TENANT, 1, KEY))
    store.path.chmod(0o640)
    with pytest.raises(KeyStoreFault, match="chmod 600"):
        asyncio.run(store.wrap(TENANT, 1, KEY))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2, "keks": {}}', '{"format": 1, "keks": []}', "\x00"])
def test_a_damaged_file_is_told_and_left_alone(store: FileKeyStore, content: str) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.write_text(content)
    store.path.chmod(0o600)
    with pytest.raises(KeyStoreFault, match="key file"):
        asyncio.run(store.wrap(TENANT, 1, KEY))
    assert store.path.read_text() == content


def test_a_damaged_key_is_told(store: FileKeyStore) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.write_text(json.dumps({"format": 1, "keks": {str(TENANT): {"1": "AAAA"}}}))
    store.path.chmod(0o600)
    with pytest.raises(KeyStoreFault, match="damaged"):
        asyncio.run(store.wrap(TENANT, 1, KEY))


def test_processes_that_meet_agree_on_one_kek(store: FileKeyStore) -> None:
    """Three processes wrap for the same new tenant at once; every wrapped key opens afterwards."""
    code = (
        "import asyncio, sys, uuid; from pathlib import Path\n"
        "from backoffice.platform.crypto import FileKeyStore\n"
        "store = FileKeyStore(Path(sys.argv[1]))\n"
        f"print(asyncio.run(store.wrap(uuid.UUID('{TENANT}'), 1, bytes(range(32)))).hex())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(store.path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    wrapped = [bytes.fromhex(process.communicate()[0].strip()) for process in running]
    assert {asyncio.run(store.unwrap(TENANT, 1, token)) for token in wrapped} == {KEY}


def test_ciphers_make_the_first_keys_once(store: FileKeyStore) -> None:
    async def scenario() -> None:
        table = Table()
        first, second = Ciphers(store, table.load, table.store), Ciphers(store, table.load, table.store)
        ciphers = await asyncio.gather(*(maker.for_tenant(TENANT) for maker in (first, second) for _ in range(5)))
        assert sorted(version for _, version in table.rows) == [0, 1]
        sealed = ciphers[0].seal(CELL, "900123456")
        assert {cipher.open(CELL, sealed, purpose="test_run") for cipher in ciphers} == {"900123456"}
        assert len({cipher.blind_index("ssn", "900123456") for cipher in ciphers}) == 1

    asyncio.run(scenario())


def test_keys_stay_in_memory_for_ten_minutes_at_most(store: FileKeyStore) -> None:
    async def scenario() -> None:
        now = 0.0
        table = Table()
        ciphers = Ciphers(store, table.load, table.store, clock=lambda: now)
        cipher = await ciphers.for_tenant(TENANT)
        loads = table.loads
        now = 599.9
        assert await ciphers.for_tenant(TENANT) is cipher
        assert table.loads == loads
        now = 600.0
        assert await ciphers.for_tenant(TENANT) is not cipher
        assert table.loads == loads + 1
        await store.destroy(TENANT)
        now = 1200.0
        with pytest.raises(KeyDestroyed):
            await ciphers.for_tenant(TENANT)

    asyncio.run(scenario())
    with pytest.raises(ValueError, match="600"):
        Ciphers(store, Table().load, Table().store, stay=601)


def test_only_so_many_tenants_are_kept(store: FileKeyStore) -> None:
    async def scenario() -> None:
        table = Table()
        ciphers = Ciphers(store, table.load, table.store, most=2)
        first = await ciphers.for_tenant(uuid.UUID(int=1))
        await ciphers.for_tenant(uuid.UUID(int=2))
        await ciphers.for_tenant(uuid.UUID(int=3))
        assert await ciphers.for_tenant(uuid.UUID(int=1)) is not first

    asyncio.run(scenario())


def test_rotation_seals_with_the_new_key_and_opens_the_old(store: FileKeyStore) -> None:
    async def scenario() -> None:
        table = Table()
        ciphers = Ciphers(store, table.load, table.store)
        old = (await ciphers.for_tenant(TENANT)).seal(CELL, "900123456")
        assert await ciphers.rotate(TENANT) == 2
        cipher = await ciphers.for_tenant(TENANT)
        assert cipher.current_version == 2
        assert cipher.open(CELL, old, purpose="test_run") == "900123456"
        table.rows[(TENANT, 2)] = (table.rows[(TENANT, 2)][0], "retired")
        ciphers.forget()
        assert (await ciphers.for_tenant(TENANT)).current_version == 1
        table.rows[(TENANT, 1)] = (table.rows[(TENANT, 1)][0], "retired")
        ciphers.forget(TENANT)
        with pytest.raises(KeyStoreFault, match="active"):
            await ciphers.for_tenant(TENANT)

    asyncio.run(scenario())


def test_rotation_does_not_paper_over_a_lost_key_file(store: FileKeyStore) -> None:
    async def scenario() -> None:
        table = Table()
        ciphers = Ciphers(store, table.load, table.store)
        await ciphers.for_tenant(TENANT)
        os.unlink(store.path)
        with pytest.raises(KeyMissing):
            await ciphers.rotate(TENANT)
        assert sorted(version for _, version in table.rows) == [0, 1]

    asyncio.run(scenario())


def test_a_lost_index_root_is_told_and_not_replaced(store: FileKeyStore) -> None:
    async def scenario() -> None:
        table = Table()
        await Ciphers(store, table.load, table.store).for_tenant(TENANT)
        del table.rows[(TENANT, 0)]
        with pytest.raises(KeyStoreFault, match="version 0"):
            await Ciphers(store, table.load, table.store).for_tenant(TENANT)
        assert (TENANT, 0) not in table.rows

    asyncio.run(scenario())


def test_a_store_that_does_not_commit_is_noticed(store: FileKeyStore) -> None:
    async def lose(tenant_id: uuid.UUID, version: int, wrapped: bytes) -> None:
        return None

    with pytest.raises(KeyStoreFault, match="commit"):
        asyncio.run(Ciphers(store, Table().load, lose).for_tenant(TENANT))

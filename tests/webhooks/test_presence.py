"""That a courier is there is told by its connection, not by what it has in hand: a dead receiver is no dead courier."""

from __future__ import annotations

from typing import Any

from tests.webhooks.bench import couriers

from backoffice.platform.courier.ports import COURIER_LOCK
from backoffice.platform.doctor.examine import examine
from backoffice.platform.doctor.look import look
from backoffice.platform.doorbell import open_listener


async def test_the_doctor_sees_that_a_courier_is_there_and_that_it_is_gone(settings: Any) -> None:
    async def missed() -> bool:
        return "no_courier" in {each.code for each in examine(await look(settings))}

    assert await missed()
    async with open_listener(settings.dsn("bo_dispatch"), presence=COURIER_LOCK) as another:
        assert await another.wait(10)  # connected
        async with couriers(settings):  # each holds its own share
            assert not await missed()
    async with open_listener(settings.dsn("bo_dispatch")) as dispatcher:
        assert await dispatcher.wait(10)
        assert await missed()

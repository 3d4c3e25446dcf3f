"""MESH beyond the contract, against NHS's own sandbox: a whole gateway behind a mailbox there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.mesh import MeshAdapter
from gateway.actions.try_way import WayTrial, try_way
from gateway.app.ways_in import read_mesh_once
from gateway.core.deliveries import DeliveryState, Fault, TryLater, Undeliverable
from gateway.core.messages import AgencyId, RoleId, Seat
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.carrying import carry_due
from gateway.store import directory, mail
from gateway.store.deliveries import DeliveryRow
from gateway.store.directory import WayRow
from tests.actions.scene import ICB, deliveries_of, events_of, reasons, refer
from tests.adapters.mesh_sandbox import OURS, THEIRS, WORKFLOW, Sandbox, mesh_sandbox
from tests.adapters.parcels import a_parcel
from tests.gateway_house import House, gateway_house

HEALTH_BOARD = WayTrial(SOUTH_TYNESIDE, Seat(AgencyId(ICB), RoleId("dsp-icb")))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with mesh_sandbox() as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[House]:
    """A gateway with a mailbox; the health board is reached by its own. Nothing is carried or read by itself."""
    account = sandbox.account(OURS)
    async with gateway_house(
        tmp_path,
        mesh_url=account.url,
        mesh_mailbox=OURS,
        mesh_workflow=WORKFLOW,
        mesh_password_file=account.password_file,
        mesh_shared_key_file=account.shared_key_file,
        mesh_interval_seconds=3600.0,
    ) as running:
        await running.gateway.dispatch.stop()
        way = WayRow(AgencyId(ICB), RoleId("*"), "mesh", THEIRS, None)
        await running.parts.store.transact(lambda tx: directory.set_way(tx, SOUTH_TYNESIDE, way))
        running.parts.partnerships.forget()
        yield running


async def carried(house: House) -> tuple[Any, DeliveryRow]:
    referral = await refer(house)
    while await carry_due(house.parts):
        pass
    return referral, await row_of(house, referral)


async def row_of(house: House, referral: Any) -> DeliveryRow:
    return next(row for row in await deliveries_of(house, referral["id"]) if row.agency == ICB)


async def read_all(house: House) -> None:
    while await read_mesh_once(house.parts):
        pass


async def test_a_referral_lies_whole_in_the_health_boards_mailbox_and_its_collection_is_stated_once(
    house: House, sandbox: Sandbox
) -> None:
    referral, row = await carried(house)
    assert row.state is DeliveryState.DELIVERED
    tried = await try_way(house.parts, HEALTH_BOARD)
    assert (tried.way, tried.is_taken) == ("mesh", True), "our mailbox is let in; nothing is put into theirs"
    with sandbox.client(THEIRS) as theirs:
        (id_,) = [one for one in theirs.list_messages() if theirs.retrieve_message(one).local_id == row.id]
        document = json.loads(theirs.retrieve_message(id_).read())
        assert (document["delivery"], document["content"]["type"]) == (row.id, "referral")
        await read_all(house)
        assert (await row_of(house, referral)).opened_at is None, "lying there is not collected"
        theirs.acknowledge_message(id_)
    for _ in range(2):
        await read_all(house)
    assert (await row_of(house, referral)).opened_at is not None
    assert (await events_of(house, referral["id"])).count("ContentHandover") == 1


async def test_what_nobody_collects_in_five_days_ends_as_the_partners_fault_before_an_officer_once(
    house: House, sandbox: Sandbox
) -> None:
    referral, row = await carried(house)
    for _ in range(2):  # MESH reports twice
        sandbox.report(OURS, row.id)
        await read_all(house)
    after = await row_of(house, referral)
    assert (after.state, after.last_reason) == (DeliveryState.FAILED_PARTNER, "not-collected")
    assert await reasons(house) == ["not-collected"]
    assert (await events_of(house, referral["id"])).count("DeliveryFailure") == 1


async def test_a_message_by_mesh_goes_through_the_one_door_is_answered_and_only_then_acknowledged(
    house: House, sandbox: Sandbox
) -> None:
    document = json.dumps(house.example("referral", reference="ICB-MESH-1")).encode()
    with sandbox.client(THEIRS) as theirs:
        for _ in range(2):  # the far end repeats: the reference makes it safe
            theirs.send_message(OURS, document, workflow_id=WORKFLOW)
        theirs.send_message(OURS, b"{}", workflow_id=WORKFLOW)
        await read_all(house)
        with sandbox.client(OURS) as ours:
            assert ours.list_messages() == [], "all is durable here, so MESH may forget it"
        answers = [json.loads(one.partition(b" ")[2]) for one in sandbox.sent_to(THEIRS)]
    accepted = [one for one in answers if "receipt" in one]
    assert len(accepted) == 2
    assert len({one["id"] for one in accepted}) == 1
    assert [one["refused"] for one in answers if "refused" in one] == ["invalid-message"]


async def test_a_mailbox_that_the_directory_does_not_have_speaks_for_nobody(
    house: House, sandbox: Sandbox
) -> None:
    document = json.dumps(house.example("referral", reference="STRANGER-1")).encode()
    with sandbox.client("X26ABC3") as stranger:
        stranger.send_message(OURS, document, workflow_id=WORKFLOW)
    await read_all(house)
    (answer,) = sandbox.sent_to("X26ABC3")
    assert json.loads(answer.partition(b" ")[2])["refused"] == "not-permitted"


async def test_no_silence_is_stated_while_mesh_cannot_be_read(house: House, sandbox: Sandbox) -> None:
    async def mark() -> Any:
        return (await house.parts.store.read(mail.watermarks)).get("mesh")

    await read_all(house)
    read_until = await mark()
    assert read_until == house.clock()
    await house.parts.adapter("mesh").aclose()
    sandbox.shut()
    tried = await try_way(house.parts, HEALTH_BOARD)
    assert (tried.is_taken, tried.delivery) == (False, None)
    house.clock.move_by(hours=1)
    assert await read_mesh_once(house.parts) == 0
    assert await mark() == read_until


async def test_whose_fault_a_refusal_is(sandbox: Sandbox) -> None:
    parcel = replace(a_parcel(THEIRS, secret=None), document=b"{}")
    account = sandbox.account(OURS)
    known = MeshAdapter(account)
    unknown = await known.deliver(replace(parcel, address="X26NOBODY"))
    assert unknown == Undeliverable("no-such-mailbox", Fault.PARTNER)
    await known.aclose()
    account.password_file.write_text("wrong")
    stranger = MeshAdapter(account)
    assert await stranger.deliver(parcel) == Undeliverable("not-let-in", Fault.SYSTEM)
    await stranger.aclose()
    sandbox.shut()
    cut = MeshAdapter(account)
    assert isinstance(await cut.deliver(parcel), TryLater)
    await cut.aclose()

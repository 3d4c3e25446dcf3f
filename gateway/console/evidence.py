"""Evidence of one incident: checked in the page by the same verifier that a court would use, and taken away as a bundle.

Taking it away is stated before it leaves; checking is stated as an opening. The verdict here is our own word on our own
bundle: a stranger takes the bundle, their own copy of the verifier, and a policy that reached them on another path.
"""

from __future__ import annotations

import asyncio
import json

from starlette.responses import Response

from gateway.actions.export import Export, export, own_policy, peers_of, read_bundle
from gateway.actions.view import Viewing, view
from gateway.console import reading
from gateway.console.door import Console, Visit
from gateway.console.pages import page
from gateway.core.messages import IncidentId, PartnershipId
from gateway.ledger import verify
from gateway.ledger.verify import Finding
from gateway.store import log

LONGEST_WAIT_SECONDS = 3.0  # for the seal of what was stated just now; then the verdict is provisional
VERDICTS = {
    "VALID": ("The evidence holds", ""),
    "PROVISIONAL": ("The evidence holds so far", "wait"),
    "INVALID": ("The evidence does not hold", "bad"),
}
CONTENT = {
    "matches": "Every message and file is the one that its receipt commits to.",
    "erased": "The content was erased, and the log says so.",
    "not supplied": "The content was not looked at.",
}


async def post_check(console: Console, visit: Visit) -> Response:
    """Build the bundle, check it, show the verdict; nothing leaves the house."""
    incident, partnership = await _named(console, visit)
    opening = Viewing(visit.signed_in.name, partnership, incident, "evidence")
    await console.parts.perform(view, opening, partnership, incident)
    bundle, policy = await _bundle(console, partnership, incident, with_content=True)
    finding = await asyncio.to_thread(_verified, bundle, policy)
    title, tone = VERDICTS[finding.verdict]
    told = {"title": title, "tone": tone, "content": CONTENT.get(finding.content, finding.content)}
    return page(visit, "evidence.html", here="incidents", incident=incident, finding=finding, told=told)


async def post_bundle(console: Console, visit: Visit) -> Response:
    """The bundle as a file, once its export is durable."""
    incident, partnership = await _named(console, visit)
    with_content = visit.form.get("content") == "yes"
    asked = Export(incident, visit.signed_in.name, with_content)
    await console.parts.perform(export, asked, partnership, incident)
    bundle, _ = await _bundle(console, partnership, incident, with_content=with_content)
    name = f"evidence-{incident}{'' if with_content else '-without-content'}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(bundle, media_type="application/zip", headers=headers)


async def get_policy(console: Console, visit: Visit) -> Response:
    """What a stranger checks a bundle with: our public keys and who confirms the log. It holds no secret and nothing of an incident."""
    policy = await console.parts.store.read(
        lambda tx: own_policy(console.parts, peers_of(tx), log.origins(tx))
    )
    headers = {"Content-Disposition": 'attachment; filename="policy.json"'}
    return Response(json.dumps(policy, indent=2).encode(), media_type="application/json", headers=headers)


async def _named(console: Console, visit: Visit) -> tuple[IncidentId, PartnershipId]:
    incident, officer = IncidentId(visit.path("incident")), visit.signed_in
    return incident, await console.parts.store.read(lambda tx: reading.partnership_of(tx, officer, incident))


async def _bundle(
    console: Console, partnership: PartnershipId, incident: IncidentId, *, with_content: bool
) -> tuple[bytes, bytes]:
    """The bundle and the policy it is checked with, sealed as far as a short wait brings."""
    parts = console.parts
    for _ in range(int(LONGEST_WAIT_SECONDS / 0.1)):
        if not await parts.store.read(log.count_unsealed):
            break
        await asyncio.sleep(0.1)
    key = await parts.key_of(incident) if with_content else None
    bundle = await parts.store.read(lambda tx: read_bundle(tx, parts, partnership, incident, key))
    policy = await parts.store.read(lambda tx: own_policy(parts, peers_of(tx), log.origins(tx)))
    return bundle, json.dumps(policy).encode()


def _verified(bundle: bytes, policy: bytes) -> Finding:
    return verify.verify_bundle(bundle, verify.load_policy(policy))

"""`gateway clients`: which software may speak for which agency, and with which keys.

Invariants: the gateway only ever keeps public halves; no key is in use before its holder proved to have it and a second
officer agreed; every change is an entry in the ledger. Exit status as in contract section 2. Sources: RFC 7523, RFC 7517,
FAPI 2.0 section 5.4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from gateway.actions.approve_client import Approval, approve_client
from gateway.actions.permit_client import LegacyAudience, Permission, allow_legacy_audience, permit_client
from gateway.actions.prove import Stated
from gateway.actions.register_certificates import (
    CertifiedRegistration,
    Renewal,
    register_certified_client,
    renew_certificates,
)
from gateway.actions.register_client import Registration, register_client
from gateway.actions.revoke_client_keys import Revocation, revoke_client_keys
from gateway.actions.rotate_client_keys import NewChallenge, Rotation, challenge_again, rotate_client_keys
from gateway.actions.suspend_client import Suspension, suspend_client
from gateway.api.door import READ, SCOPES, WRITE
from gateway.app import system_clock
from gateway.cli.agency_keys import LARGEST_BYTES, new_key, prove, read_keys, write_challenge
from gateway.cli.certificates import (
    Authority,
    Certificate,
    Name,
    authorities_pem,
    certificate_rows,
    read_certificates,
)
from gateway.cli.client_rows import client_lines, client_row, utc, utc_or_none
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run, settle, stop
from gateway.core import client_keys
from gateway.core.client_keys import ALWAYS, Window
from gateway.core.errors import ErrorCode, Misconfigured, Refused
from gateway.core.messages import AgencyId
from gateway.core.officers import TwoOfficers
from gateway.core.published_keys import may_publish_at
from gateway.core.working_days import TimeFault, read_instant
from gateway.dispatch.published_keys import look
from gateway.oauth.possession import NotProved, make_proof, proved_thumbprint
from gateway.parts import Parts
from gateway.settings import Settings, SettingsUnreadable
from gateway.store import clients
from gateway.store.clients import ClientRow, Waiting
from keys.signing import jwk_thumbprint
from schemas import TYPES

OFFICERS = "--officer 'Winifred Stave' --second-officer 'Desmond Quill'"
ANY = "any"
NO_KEYS: dict[str, Any] = {"keys": []}

_CLIENT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_CLIENT = 57  # its chain in the ledger is `client-<id>`, of at most 64 characters

app = typer.Typer(help="The agencies' software: who may speak, with which keys.", no_args_is_help=True)

Client = Annotated[
    str, typer.Argument(metavar="CLIENT", help="The client's id, such as northshire-police-1.")
]
Jwks = Annotated[
    Path | None, typer.Option("--jwks", metavar="FILE.jwks", help="The client's public keys (RFC 7517).")
]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE.jwk",
        help="One key. Of a private one only the public half is kept; having it is proof of possession.",
    ),
]
Agreeing = Annotated[
    str | None,
    typer.Option(
        "--second-officer",
        metavar="NAME",
        help="Who agrees to it: another person. With a private --key it is then done; else see `approve`.",
    ),
]
ChallengeOut = Annotated[
    Path | None,
    typer.Option("--challenge", metavar="FILE.json", help="Write what the agency has to sign there."),
]
NotBefore = Annotated[
    str, typer.Option("--not-before", metavar="INSTANT", help="From when the keys may be used.")
]
NotAfter = Annotated[
    str,
    typer.Option("--not-after", metavar="INSTANT", help="When the keys end; `clients list` warns before."),
]
Types = Annotated[
    str,
    typer.Option(
        "--types", metavar="TYPES", help="The only message types it may send, separated by commas, or `any`."
    ),
]


@app.command(
    "add",
    epilog="Example: gateway clients add northshire-police-1 --agency northshire-police --jwks police.jwks "
    "--officer 'Winifred Stave'",
)
def add(
    client: Client,
    agency: Annotated[
        str, typer.Option("--agency", metavar="A", help="For whom it speaks; see `directory list`.")
    ],
    officer: Officer,
    second_officer: Agreeing = None,
    jwks: Jwks = None,
    key: Key = None,
    jwks_uri: Annotated[
        str | None,
        typer.Option("--jwks-uri", metavar="URL", help="Where the client publishes its keys itself."),
    ] = None,
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="SCOPES", help=f"Separated by spaces, of: {' '.join(SCOPES)}.")
    ] = f"{WRITE} {READ}",
    types: Types = ANY,
    not_before: NotBefore = "",
    not_after: NotAfter = "",
    challenge_file: ChallengeOut = None,
    certificate: Certificate = None,
    authority: Authority = None,
    san: Name = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask for software to be let in that speaks for an agency: its keys wait for proof and approval.

    Prints a challenge that the agency signs with each new key (`gateway clients prove`). A certificate (mutual TLS) needs
    none: with a second officer it is in use at once.
    """
    if len(client) > _LONGEST_CLIENT or not _CLIENT.fullmatch(client):
        stop("a client's id is small letters, digits and single dashes, such as northshire-police-1", 2)
    wanted, allowed = _scopes(scopes), _types(types)
    if certificates := read_certificates(certificate, authority, san, jwks or key):
        by_two = TwoOfficers(officer, second_officer or "")
        certified = CertifiedRegistration(client, AgencyId(agency), certificates, wanted, by_two, allowed)
        _tell_certified(client, certificates, run(_settled(register_certified_client, certified)), as_json)
        return
    keys, private = (NO_KEYS, None) if jwks_uri and not (jwks or key) else read_keys(jwks, key)
    window = _window(not_before, not_after)
    if jwks_uri is not None:
        _may_publish(jwks_uri, keys is NO_KEYS and window == ALWAYS)
    asked = Registration(
        client, AgencyId(agency), wanted, officer, keys, jwks_uri, message_types=allowed, window=window
    )
    told = run(asked_for(register_client, asked, officer, second_officer, private))
    tell_asked(
        {"agency": agency, "scopes": list(wanted), "message_types": allowed} | told, challenge_file, as_json
    )


@app.command(
    "approve",
    epilog="Example: gateway clients approve northshire-police-1 --proof police.proof --second-officer 'Desmond Quill'",
)
def approve(
    client: Client,
    proof: Annotated[
        list[Path],
        typer.Option("--proof", metavar="FILE", help="What the agency signed; once for each file."),
    ],
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """Put a client's waiting keys in use, as the second officer: not the one who asked for them."""
    proofs = [word for file in proof for word in _words_in(file)]
    told = run(_approved(client, proofs, second_officer))
    lines = [f"{client} may now use: {', '.join(told['kids'])}"]
    answer(told, [*lines, *(f"receipt: {one['id']}" for one in told["receipts"])], as_json)


@app.command(
    "challenge",
    epilog="Example: gateway clients challenge northshire-police-1 --officer 'Winifred Stave'",
)
def challenge(
    client: Client, officer: Officer, challenge_file: ChallengeOut = None, as_json: JsonFlag = False
) -> None:
    """Give out another challenge for keys that wait: the one before expired, or went astray."""
    told = run(asked_for(challenge_again, NewChallenge(client, officer), officer, None, None))
    tell_asked(told, challenge_file, as_json)


@app.command("list", epilog="Example: gateway clients list --json")
def list_clients(as_json: JsonFlag = False) -> None:
    """List every client with its agency, status, scopes and keys, and what should be seen to."""
    rows, at = run(_listed())
    told = [client_row(row, at) for row in rows]
    answer(
        told, [line for row in told for line in client_lines(row)] or ["no client is registered yet"], as_json
    )


@app.command(
    "rotate",
    epilog="Example: gateway clients rotate northshire-police-1 --jwks new.jwks --officer 'Winifred Stave'",
)
def rotate(
    client: Client,
    officer: Officer,
    second_officer: Agreeing = None,
    jwks: Jwks = None,
    key: Key = None,
    overlap_hours: Annotated[
        int, typer.Option("--overlap-hours", min=0, max=720, help="How long the keys before still work.")
    ] = 24,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="The keys before and every token in hand are dead at once.")
    ] = False,
    not_before: NotBefore = "",
    not_after: NotAfter = "",
    challenge_file: ChallengeOut = None,
    certificate: Certificate = None,
    authority: Authority = None,
    san: Name = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask for new keys for a client: they wait for proof and approval, and those in use go on until then.

    With a certificate: its next one, in use at once beside those before. A client that had only keys signs on with them, and
    its tokens are bound to certificates from then on in place of DPoP.
    """
    if certificates := read_certificates(certificate, authority, san, jwks or key):
        by_two, hours = TwoOfficers(officer, second_officer or ""), 0 if compromised else overlap_hours
        renewal = Renewal(client, certificates, timedelta(hours=hours), compromised, by_two)
        _tell_certified(client, certificates, run(_settled(renew_certificates, renewal)), as_json)
        return
    keys, private = read_keys(jwks, key)
    asked = Rotation(client, keys, timedelta(hours=overlap_hours), officer, _window(not_before, not_after))
    dead: list[Stated] = []
    if compromised:
        if second_officer is None:
            stop("--compromised kills keys and tokens at once: name --second-officer too", 2)
        dead = run(
            _settled(revoke_client_keys, Revocation(client, None, TwoOfficers(officer, second_officer)))
        )
    told = run(asked_for(rotate_client_keys, asked, officer, second_officer, private))
    told["receipts"] = [*_receipts(dead), *told["receipts"]]
    tell_asked({"compromised": compromised} | told, challenge_file, as_json)


@app.command(
    "revoke", epilog=f"Example: gateway clients revoke northshire-police-1 client-0f3a9c21d4e8b765 {OFFICERS}"
)
def revoke(
    client: Client,
    kid: Annotated[str, typer.Argument(metavar="KID", help="Which key; see `clients list`.")],
    officer: Officer,
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """One key may be in wrong hands: it signs nothing more, and every token of the client in hand is dead."""
    asked = Revocation(client, kid, TwoOfficers(officer, second_officer))
    receipts = run(_settled(revoke_client_keys, asked))
    told = {"client": client, "kid": kid, "status": client_keys.REVOKED, "receipts": _receipts(receipts)}
    answer(
        told, ["the key and every token in hand are dead", *(f"receipt: {r.id}" for r in receipts)], as_json
    )


@app.command("fetch", epilog="Example: gateway clients fetch northshire-police-1")
def fetch(client: Client, as_json: JsonFlag = False) -> None:
    """Look now at the address where a client publishes its keys; by itself this is done every quarter of an hour."""
    row, fault = run(_fetched(client))
    kids = [key["kid"] for key in row.keys if "revoked" not in key]
    line = f"{client} publishes: {', '.join(kids)}" if fault is None else f"nothing was taken: {fault}"
    answer({"client": client, "fault": fault, "kids": kids}, [line], as_json)
    if fault is not None:
        raise typer.Exit(1)


@app.command("suspend", epilog=f"Example: gateway clients suspend northshire-police-1 {OFFICERS}")
def suspend(
    client: Client,
    officer: Officer,
    second_officer: SecondOfficer,
    lift: Annotated[bool, typer.Option("--lift", help="End the suspension instead.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Shut a client out within 30 seconds; its tokens stay dead even when the suspension ends."""
    receipt = run(_settled(suspend_client, Suspension(client, lift, TwoOfficers(officer, second_officer))))
    told = {"client": client, "status": clients.ACTIVE if lift else clients.SUSPENDED}
    _tell_changed(told, f"{client} is {told['status']}", receipt, as_json)


@app.command(
    "permit",
    epilog=f"Example: gateway clients permit northshire-police-1 --types referral,call-log {OFFICERS}",
)
def permit(
    client: Client,
    officer: Officer,
    second_officer: SecondOfficer,
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="SCOPES", help="As with `add`; left out, they stay.")
    ] = "",
    types: Annotated[
        str, typer.Option("--types", metavar="TYPES", help="As with `add`; left out, they stay.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Change what a client may do. It bites within 30 seconds, also for tokens in hand."""
    if not scopes and not types:
        stop("say --scopes, --types or both", 2)
    wanted = _scopes(scopes) if scopes else None
    allowed = _types(types) if types else None
    officers = TwoOfficers(officer, second_officer)
    row, receipt = run(_permitted(client, wanted, allowed, bool(types), officers))
    told = {"client": client, "scopes": list(row.scopes), "message_types": row.message_types}
    _tell_changed(told, f"{client} may now do that and nothing else", receipt, as_json)


@app.command(
    "legacy-audience",
    epilog=f"Example: gateway clients legacy-audience northshire-police-1 --until 2027-03-31T17:00+00:00 {OFFICERS}",
)
def legacy_audience(
    client: Client,
    officer: Officer,
    second_officer: SecondOfficer,
    until: Annotated[
        str, typer.Option("--until", metavar="INSTANT", help="When it ends, within half a year.")
    ] = "",
    end: Annotated[bool, typer.Option("--end", help="End it now instead.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """For a while, take a client's assertions that name the token address as audience; never for a new client."""
    if bool(until) == end:
        stop("say either --until INSTANT or --end", 2)
    until_at = None if end else _instant(until, "--until")
    asked = LegacyAudience(client, until_at, TwoOfficers(officer, second_officer))
    receipt = run(_settled(allow_legacy_audience, asked))
    told = {"client": client, "legacy_audience_until": utc_or_none(until_at)}
    line = f"{client} names the issuer alone" if end else f"{client} may name the token address until {until}"
    _tell_changed(told, line, receipt, as_json)


@app.command("authorities", epilog="Example: gateway clients authorities --out client-authorities.pem")
def authorities(
    out: Annotated[Path, typer.Option("--out", metavar="FILE.pem", help="Where the proxy reads them.")],
    as_json: JsonFlag = False,
) -> None:
    """Write the authorities of clients registered with --ca, for the proxy to verify certificates against."""
    rows, at = run(_listed())
    pem = authorities_pem(rows, at)
    if not pem:
        stop("no client is registered by its issuing authority", 1)
    try:
        out.write_text(pem, "ascii")
    except OSError:
        stop("cannot write there: name a file in a folder that you may write to", 2)
    count = pem.count("BEGIN CERTIFICATE")
    answer({"file": str(out), "authorities": count}, [f"{count} authorities: {out}"], as_json)


app.command("new-key", epilog="Example: gateway clients new-key police.jwk")(new_key)
app.command(
    "prove",
    epilog="Example: gateway clients prove police.challenge.json --key police.jwk --out police.proof",
)(prove)


def _scopes(text: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if not wanted or not set(wanted) <= set(SCOPES):
        stop(f"--scopes takes {' '.join(SCOPES)}", 2)
    return wanted


def _types(text: str) -> tuple[str, ...] | None:
    if text == ANY:
        return None
    wanted = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if not wanted or not set(wanted) <= set(TYPES):
        stop(f"--types takes `{ANY}`, or some of {' '.join(TYPES)}", 2)
    return wanted


def _may_publish(address: str, is_alone: bool) -> None:
    if not is_alone:
        stop("--jwks-uri stands alone: its keys come from there, and last as long as they stand there", 2)
    try:
        hosts = Settings.load().client_key_hosts
    except SettingsUnreadable as fault:
        raise Misconfigured(str(fault)) from None
    if not may_publish_at(address, hosts):
        stop("--jwks-uri is an https address on a host named in GATEWAY_CLIENT_KEY_HOSTS", 2)


def _window(not_before: str, not_after: str) -> Window:
    begins = _instant(not_before, "--not-before") if not_before else None
    ends = _instant(not_after, "--not-after") if not_after else None
    if begins is not None and ends is not None and begins >= ends:
        stop("--not-before lies before --not-after", 2)
    return Window(begins, ends)


def _instant(text: str, option: str) -> datetime:
    found = read_instant(text)
    if isinstance(found, TimeFault):
        stop(f"{option} is no instant ({found.value}): 2027-03-31T17:00+00:00", 2)
    return found


def _words_in(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened_file:
            words = opened_file.read(LARGEST_BYTES).decode("ascii").split()
    except (OSError, ValueError):
        words = []
    if not words:
        stop("cannot read the proofs: name the file that the agency sent, one compact JWS a line", 2)
    return words


async def asked_for(
    action: Any, asked: Any, officer: str, second_officer: str | None, private: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What waits now; approved at once when both officers are named and the file was the private key itself."""
    officers = None if second_officer is None else TwoOfficers(officer, second_officer)
    async with opened() as parts:
        waiting: Waiting = await settle(parts, action, asked)
        told = _challenge_document(parts, asked.client, await _find(parts, asked.client), waiting)
        if officers is None or private is None:
            return told
        audience = parts.settings.public_url
        proof = make_proof(private, client=asked.client, audience=audience, nonce=waiting.nonce)
        done = await _approve(parts, asked.client, [proof], officers.second)
        return told | {"status": clients.ACTIVE, "challenge": None, "private_half_left_out": True} | done


async def _approved(client: str, proofs: Sequence[str], officer: str) -> dict[str, Any]:
    async with opened() as parts:
        return {"client": client, "status": clients.ACTIVE} | await _approve(parts, client, proofs, officer)


async def _approve(parts: Parts, client: str, proofs: Sequence[str], officer: str) -> dict[str, Any]:
    """Verify the proofs against what waits, then have it approved: the transaction sees whether it still stands."""
    row = await _find(parts, client)
    if row.waiting is None:
        _refuse("No key of this client waits for approval.")
    new = client_keys.waiting(row.keys)
    audience, nonce = parts.settings.public_url, row.waiting.nonce
    try:
        proved = [
            proved_thumbprint(one, client=client, audience=audience, nonce=nonce, keys=new) for one in proofs
        ]
    except NotProved as fault:
        _refuse(f"{str(fault)[0].upper()}{str(fault)[1:]}.")
    receipts = await settle(parts, approve_client, Approval(client, officer, nonce, frozenset(proved)))
    return {"kids": [key["kid"] for key in new], "receipts": _receipts(receipts)}


def _refuse(detail: str) -> NoReturn:
    raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)


async def _permitted(
    client: str,
    scopes: tuple[str, ...] | None,
    types: tuple[str, ...] | None,
    types_too: bool,
    officers: TwoOfficers,
) -> tuple[ClientRow, Stated]:
    async with opened() as parts:
        row = await _find(parts, client)
        asked = Permission(client, scopes or row.scopes, types if types_too else row.message_types, officers)
        receipt = await settle(parts, permit_client, asked)
        return await _find(parts, client), receipt


async def _fetched(client: str) -> tuple[ClientRow, str | None]:
    async with opened() as parts:
        row = await _find(parts, client)
        if row.jwks_uri is None:
            _refuse("This client's keys came by value: there is nothing to fetch.")
        fault = await look(parts, row)
        return await _find(parts, client), fault


async def _find(parts: Parts, client: str) -> ClientRow:
    row = await parts.store.read(lambda tx: clients.find(tx, client))
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no such client; see `gateway clients list`.")
    return row


def _tell_certified(
    client: str, certificates: Sequence[Mapping[str, Any]], stated: Iterable[Stated], as_json: bool
) -> None:
    given = list(stated)
    rows = certificate_rows(certificates, system_clock())
    lines = [f"{client} is known by a certificate: x5t#S256 {row['x5t#S256']}" for row in rows]
    told = {"client": client, "certificates": rows, "receipts": _receipts(given)}
    answer(told, [*lines, *(f"receipt: {one.id}" for one in given)], as_json)


async def _settled(action: Any, asked: Any) -> Any:
    async with opened() as parts:
        return await settle(parts, action, asked)


async def _listed() -> tuple[tuple[ClientRow, ...], datetime]:
    async with opened() as parts:
        return await parts.store.read(clients.listed), parts.clock()


def _challenge_document(parts: Parts, client: str, row: ClientRow, waiting: Waiting) -> dict[str, Any]:
    keys = client_keys.waiting(row.keys)
    return {
        "client": client,
        "status": row.status,
        "kids": [key["kid"] for key in keys],
        "keys": [{"kid": key["kid"], "thumbprint": jwk_thumbprint(dict(key))} for key in keys],
        "challenge": {
            "client": client,
            "audience": parts.settings.public_url,
            "nonce": waiting.nonce,
            "expires_at": utc(waiting.expires_at),
        },
        "private_half_left_out": False,
        "receipts": [],
    }


def tell_asked(told: dict[str, Any], file: Path | None, as_json: bool) -> None:
    lines = [f"{told['client']}: {key['kid']} (thumbprint {key['thumbprint']})" for key in told["keys"]]
    given = told["challenge"]
    if given is None:
        lines.append("in use: that file held the private key, whose place is with the agency alone")
    else:
        if file is not None:
            write_challenge(file, given)
        lines += [
            f"waits until {given['expires_at']} for proof of possession, then for a second officer",
            f"send the agency, to sign with each new key: {file or json.dumps(given)}",
        ]
    answer(told, [*lines, *(f"receipt: {one['id']}" for one in told["receipts"])], as_json)


def _tell_changed(told: dict[str, Any], line: str, receipt: Stated, as_json: bool) -> None:
    answer(told | {"receipts": _receipts([receipt])}, [line, f"receipt: {receipt.id}"], as_json)


def _receipts(receipts: Iterable[Stated]) -> list[dict[str, Any]]:
    """What was stated, with what opens its commitments: which key, asked for and agreed to by whom."""
    return [{"id": r.id, "jws": r.jws, "disclosures": list(r.disclosures)} for r in receipts]

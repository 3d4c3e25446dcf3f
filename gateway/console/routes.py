"""Every page of the console in one table: its path, its methods, what the visitor needs, the function that answers.

Invariant: what is not here is not served, and nothing is served without what its row names. A test enumerates the table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response

from gateway.console import (
    access,
    account,
    approvals,
    arrangements,
    audit,
    breaches,
    calls,
    cases,
    deliveries,
    duty_page,
    endpoints,
    evidence,
    held,
    incidents,
    keeping,
    letters,
    lists,
    mailed_draft,
    mailed_return,
    meeting,
    officer_pages,
    pages,
    paper,
    partners,
    reports,
    rules,
    search,
    sharing,
    sign_in,
    sign_in_oidc,
    sign_in_passkey,
    taken_down,
    today,
    work,
)
from gateway.console.door import Console, Visit
from gateway.core.permissions import Needs

__all__ = ["GET", "POST", "ROUTES", "Needs", "Page", "Route"]

Page = Callable[[Console, Visit], Awaitable[Response]]

GET, POST = ("GET",), ("POST",)


@dataclass(frozen=True, slots=True)
class Route:
    """One page. `path` is below the console and may hold names in braces, as Starlette writes them."""

    path: str
    methods: tuple[str, ...]
    needs: Needs
    page: Page
    is_quiet: bool = False  # asked for by a page, not by a person: it keeps no session alive
    takes_file: bool = False  # its form may bring one text file of at most a megabyte


ROUTES: tuple[Route, ...] = (
    Route("/sign-in", GET, Needs.NOTHING, sign_in.get_sign_in),
    Route("/sign-in", POST, Needs.NOTHING, sign_in.post_sign_in),
    Route("/sign-out", POST, Needs.SESSION, sign_in.post_sign_out),
    Route("/sign-in/oidc", GET, Needs.NOTHING, sign_in_oidc.get_oidc),
    Route("/sign-in/callback", GET, Needs.NOTHING, sign_in_oidc.get_callback),
    Route("/sign-in/passkey", GET, Needs.NOTHING, sign_in_passkey.get_passkey),
    Route("/sign-in/passkey", POST, Needs.NOTHING, sign_in_passkey.post_passkey),
    Route("/invitation", GET, Needs.NOTHING, sign_in_passkey.get_invitation),
    Route("/invitation", POST, Needs.NOTHING, sign_in_passkey.post_invitation),
    Route("/account", GET, Needs.SESSION, account.get_account),
    Route("/account/sign-out-everywhere", POST, Needs.SESSION, account.post_sign_out_everywhere),
    Route("/account/quiet-hours", POST, Needs.SESSION, officer_pages.post_quiet),
    Route("/officers", GET, Needs.SEE_OFFICERS, officer_pages.get_officers),
    Route("/officers/added", POST, Needs.CHANGE_OFFICERS, officer_pages.post_added),
    Route("/officers/on-call", POST, Needs.SET_ROTA, officer_pages.post_on_call),
    Route("/officers/on-call/{turn}/ended", POST, Needs.SET_ROTA, officer_pages.post_off_call),
    Route("/officers/{officer}", GET, Needs.SEE_OFFICERS, officer_pages.get_officer),
    Route("/officers/{officer}/roles", POST, Needs.CHANGE_OFFICERS, officer_pages.post_roles),
    Route("/officers/{officer}/address", POST, Needs.CHANGE_OFFICERS, officer_pages.post_address),
    Route("/officers/{officer}/suspended", POST, Needs.CHANGE_OFFICERS, officer_pages.post_suspended),
    Route("/officers/{officer}/lifted", POST, Needs.CHANGE_OFFICERS, officer_pages.post_lifted),
    Route("/officers/{officer}/invited", POST, Needs.CHANGE_OFFICERS, officer_pages.post_invited),
    Route("/static/{name}", GET, Needs.NOTHING, pages.get_static),
    Route("/", GET, Needs.SEE_LISTS, today.get_today),
    Route("/events", GET, Needs.SEE_LISTS, today.get_events, is_quiet=True),
    Route("/incidents", GET, Needs.SEE_LISTS, cases.get_incidents),
    Route("/views", POST, Needs.SEE_LISTS, cases.post_view),
    Route("/views/{view}/removed", POST, Needs.SEE_LISTS, cases.post_view_removed),
    Route("/awaiting-triage", GET, Needs.SEE_LISTS, cases.get_awaiting),
    Route("/partners", GET, Needs.SEE_LISTS, partners.get_partners),
    Route("/partners/{partnership}/{agency}", GET, Needs.OPEN_INCIDENTS, partners.get_partner),
    Route("/partners/{partnership}/{agency}/absence", POST, Needs.DECIDE, partners.post_absence),
    Route("/partners/failing", GET, Needs.SEE_LISTS, lists.get_partners),
    Route("/partners/{partnership}/{agency}/tested", POST, Needs.DECIDE, partners.post_tested),
    Route("/partners/{partnership}/{agency}/{webhook}/agree", POST, Needs.DECIDE, endpoints.post_agree),
    Route("/partners/{partnership}/{agency}/{webhook}/end", POST, Needs.DECIDE, endpoints.post_end),
    Route("/partners/{partnership}/{agency}/{webhook}/refuse", POST, Needs.DECIDE, endpoints.post_refuse),
    Route("/search", GET, Needs.SEARCH, search.get_search),
    Route("/search/reference", POST, Needs.SEARCH, search.post_reference),
    Route("/search/child", POST, Needs.SEARCH, search.post_child),
    Route("/duties/{list}", GET, Needs.SEE_LISTS, lists.get_duties),
    Route("/deliveries", GET, Needs.SEE_LISTS, deliveries.get_deliveries),
    Route("/deliveries/{state}", GET, Needs.SEE_LISTS, deliveries.get_deliveries),
    Route("/calls", GET, Needs.SEE_LISTS, calls.get_calls),
    Route("/calls/{hold}", GET, Needs.OPEN_HELD, calls.get_call),
    Route("/calls/{hold}", POST, Needs.DECIDE, calls.post_call),
    Route("/deliveries/again", POST, Needs.DECIDE, deliveries.post_redrive_many),
    Route("/delivery/{delivery}", GET, Needs.OPEN_INCIDENTS, deliveries.get_delivery),
    Route("/delivery/{delivery}/again", POST, Needs.DECIDE, deliveries.post_redrive),
    Route("/delivery/{delivery}/cancel", POST, Needs.DECIDE, deliveries.post_cancel),
    Route("/delivery/{delivery}/told", POST, Needs.DECIDE, deliveries.post_told),
    Route("/referral", GET, Needs.DECIDE, taken_down.get_referral),
    Route("/referral", POST, Needs.DECIDE, taken_down.post_referral),
    Route("/incidents/{incident}/change", GET, Needs.OPEN_INCIDENTS, work.get_work),
    Route("/incidents/{incident}/change/close", POST, Needs.DECIDE, work.post_close),
    Route("/incidents/{incident}/change/reopen", POST, Needs.DECIDE, work.post_reopen),
    Route("/incidents/{incident}/change/legal-hold", POST, Needs.DECIDE, work.post_legal_hold),
    Route("/incidents/{incident}/change/lift", POST, Needs.DECIDE, work.post_lift),
    Route("/incidents/{incident}/change/recall", POST, Needs.DECIDE, work.post_recall),
    Route("/incidents/{incident}/change/erase", POST, Needs.DECIDE, work.post_erase),
    Route("/same-child", GET, Needs.SEE_LISTS, sharing.get_same_child),
    Route("/guests", GET, Needs.SEE_LISTS, sharing.get_guests),
    Route("/incidents/{incident}/guests", GET, Needs.OPEN_INCIDENTS, sharing.get_incident_guests),
    Route("/incidents/{incident}/guests/invited", POST, Needs.DECIDE, sharing.post_invited),
    Route("/incidents/{incident}/guests/dismissed", POST, Needs.DECIDE, sharing.post_dismissed),
    Route("/incidents/{incident}/guests/handed-over", POST, Needs.DECIDE, sharing.post_handed_over),
    Route("/breaches", GET, Needs.SEE_LISTS, breaches.get_breaches),
    Route("/breaches/{breach}", GET, Needs.OPEN_INCIDENTS, breaches.get_breach),
    Route("/breaches/{breach}/reported", POST, Needs.DECIDE, breaches.post_reported),
    Route("/breaches/{breach}/not-reportable", POST, Needs.DECIDE, breaches.post_not_reportable),
    Route("/incidents/{incident}/breach", GET, Needs.DECIDE, breaches.get_record),
    Route("/incidents/{incident}/breach", POST, Needs.DECIDE, breaches.post_record),
    Route("/incidents/{incident}/letters", GET, Needs.OPEN_INCIDENTS, letters.get_letters),
    Route("/incidents/{incident}/letters/children", POST, Needs.OPEN_CONTENT, letters.post_children),
    Route("/incidents/{incident}/letters/written", POST, Needs.DECIDE, letters.post_written),
    Route("/incidents/{incident}/letters/{delivery}/again", POST, Needs.DECIDE, letters.post_again),
    Route("/incidents/{incident}/meeting", GET, Needs.OPEN_INCIDENTS, meeting.get_meeting),
    Route("/incidents/{incident}/meeting/notice", POST, Needs.DECIDE, meeting.post_notice),
    Route("/incidents/{incident}/meeting/record", POST, Needs.DECIDE, meeting.post_record),
    Route("/incidents/{incident}/duties/{duty}", GET, Needs.OPEN_INCIDENTS, duty_page.get_duty),
    Route("/incidents/{incident}/duties/{duty}/words", POST, Needs.OPEN_CONTENT, duty_page.post_words),
    Route(
        "/incidents/{incident}/duties/{duty}/acknowledged", POST, Needs.DECIDE, duty_page.post_acknowledged
    ),
    Route("/incidents/{incident}/duties/{duty}/decided", POST, Needs.DECIDE, duty_page.post_decided),
    Route("/incidents/{incident}/duties/{duty}/extend", POST, Needs.DECIDE, duty_page.post_extend),
    Route("/incidents/{incident}/duties/{duty}/explain", POST, Needs.DECIDE, duty_page.post_explain),
    Route("/incidents/{incident}/duties/{duty}/waive", POST, Needs.DECIDE, duty_page.post_waive),
    Route("/incidents/{incident}/duties/{duty}/answer", GET, Needs.DECIDE, taken_down.get_answer),
    Route("/incidents/{incident}/duties/{duty}/answer", POST, Needs.DECIDE, taken_down.post_answer),
    Route("/incidents/{incident}", GET, Needs.OPEN_INCIDENTS, incidents.get_incident),
    Route("/incidents/{incident}/messages/{message}", POST, Needs.OPEN_CONTENT, incidents.post_message),
    Route("/incidents/{incident}/linked/{other}", POST, Needs.DECIDE, incidents.post_linked),
    Route("/incidents/{incident}/told-apart/{other}", POST, Needs.DECIDE, incidents.post_told_apart),
    Route("/incidents/{incident}/unlinked/{other}", POST, Needs.DECIDE, incidents.post_unlinked),
    Route("/incidents/{incident}/access", GET, Needs.OPEN_INCIDENTS, access.get_incident_access),
    Route("/incidents/{incident}/access/restrict", POST, Needs.RESTRICT, access.post_restrict),
    Route("/incidents/{incident}/access/admit", POST, Needs.RESTRICT, access.post_admit),
    Route("/incidents/{incident}/override", POST, Needs.OVERRIDE, access.post_override),
    Route("/incidents/{incident}/access/police-hold", POST, Needs.DECIDE, access.post_police_hold),
    Route(
        "/incidents/{incident}/access/lift-police-hold", POST, Needs.DECIDE, approvals.post_lift_police_hold
    ),
    Route("/incidents/{incident}/access/unrestrict", POST, Needs.RESTRICT, approvals.post_unrestrict),
    Route("/approvals", GET, Needs.AGREE, approvals.get_approvals),
    Route("/approvals/{proposal}", GET, Needs.AGREE, approvals.get_approval),
    Route("/approvals/{proposal}/agree", POST, Needs.AGREE, approvals.post_agree),
    Route("/approvals/{proposal}/refuse", POST, Needs.AGREE, approvals.post_refuse),
    Route("/audit", GET, Needs.SEE_ACCESS, audit.get_audit),
    Route("/access", GET, Needs.SEE_ACCESS, access.get_access),
    Route("/incidents/{incident}/evidence/check", POST, Needs.OPEN_CONTENT, evidence.post_check),
    Route("/policy.json", GET, Needs.EXPORT, evidence.get_policy),
    Route("/incidents/{incident}/evidence", POST, Needs.EXPORT, evidence.post_bundle),
    Route("/rules", GET, Needs.SEE_LISTS, rules.get_rules),
    Route("/rules/{partnership}", GET, Needs.SEE_LISTS, rules.get_pack),
    Route("/rules/{partnership}/tried", POST, Needs.SEE_LISTS, rules.post_tried),
    Route("/rules/{partnership}/replay", GET, Needs.SEE_LISTS, rules.get_replay),
    Route("/rules/{partnership}/forms", GET, Needs.SEE_LISTS, paper.get_forms),
    Route("/rules/{partnership}/forms/{form}", GET, Needs.SEE_LISTS, paper.get_form),
    Route("/rules/{partnership}/activate", POST, Needs.DECIDE, arrangements.post_activate),
    Route("/bank-holidays", POST, Needs.DECIDE, arrangements.post_calendar, takes_file=True),
    Route("/bank-holidays/asked", POST, Needs.DECIDE, arrangements.post_calendar_asked, takes_file=True),
    Route("/retention", GET, Needs.SEE_LISTS, keeping.get_retention),
    Route("/reports", GET, Needs.SEE_LISTS, reports.get_reports),
    Route("/reports/{name}", GET, Needs.SEE_LISTS, reports.get_reports),
    Route("/reports/{name}/taken", POST, Needs.EXPORT, reports.post_taken),
    Route("/held", GET, Needs.SEE_LISTS, held.get_held),
    Route("/held/{hold}", GET, Needs.OPEN_HELD, held.get_held_item),
    Route("/held/{hold}/words", POST, Needs.OPEN_CONTENT, held.post_words),
    Route("/held/{hold}/release", POST, Needs.DECIDE, held.post_release),
    Route("/held/{hold}/refuse", POST, Needs.DECIDE, held.post_refuse),
    Route("/held/{hold}/answer", POST, Needs.DECIDE, held.post_answer),
    Route("/held/{hold}/return", POST, Needs.DECIDE, mailed_return.post_return),
    Route("/held/{hold}/message", GET, Needs.OPEN_CONTENT, mailed_draft.get_draft),
    Route("/held/{hold}/message", POST, Needs.DECIDE, mailed_draft.post_draft),
)

"""The words that a rule pack may use besides its keys: roles, message types, and the moments that start clocks.

Invariant: these are the contract's slugs (section 4) and the facts that schemas give; a pack invents none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

_ROLES = """
reporter agency-safeguarding-lead line-manager service-manager head-of-service head-of-service-sqa
principal-social-worker sqa-service-manager assistant-director service-director dcs strategic-director
chief-executive investigating-officer elected-member child-protection-advisor school-improvement dsl
dsp-la dsp-icb dsp-police sbu rapid-review-group executive agency-responder edt ig-officer national
"""
ROLES = frozenset(_ROLES.split())

_MESSAGE_TYPES = """
serious-incident-form call-log need-to-know dcs-notification serious-incident-alert referral
triage-decision sin-record dsl-letter dsl-confirmation information-request information-return imr-request
imr meeting-notice rapid-review-report final-decision panel-response case-review investigation-report
acknowledgement chase learning-digest correction review-decision task-record
"""
MESSAGE_TYPES = frozenset(_MESSAGE_TYPES.split())

# Start events that the gateway itself records, besides those that rules set to an arrival.
OWN_MOMENTS = frozenset({"request_sent_at", "letter_sent_at", "breach_aware_at"})
# Start events that the calendar brings, by way of a [[periodic]] matter.
PERIOD_MOMENTS = frozenset({"year_start", "month_end"})

# Moments that messages bring in their own bodies (schemas state them as facts).
BROUGHT: Mapping[str, frozenset[str]] = {
    "serious-incident-form": frozenset(
        {
            "incident_at",
            "aware_at",
            "immediate_response_completed_at",
            "classified_at",
            "urgent_concern_at",
        }
    ),
    "call-log": frozenset({"called_at", "missing_since"}),
    "need-to-know": frozenset({"incident_at", "aware_at"}),
    "dcs-notification": frozenset({"incident_at", "aware_at", "missing_since"}),
    "serious-incident-alert": frozenset({"incident_at", "aware_at"}),
    "referral": frozenset({"incident_at", "aware_at"}),
    "triage-decision": frozenset({"decided_at", "exceptional_meeting_at"}),
    "sin-record": frozenset({"sin_submitted_at"}),
    "information-return": frozenset({"extension_until_at"}),
    "imr-request": frozenset({"imr_due_at"}),
    "imr": frozenset({"extension_until_at"}),
    "meeting-notice": frozenset({"meeting_at", "held_at", "actions_due_at"}),
    "rapid-review-report": frozenset({"actions_due_at"}),
    "final-decision": frozenset({"decided_at", "lcspr_decided_at", "sent_to_panel_at", "actions_due_at"}),
    "panel-response": frozenset({"panel_responded_at"}),
    "case-review": frozenset({"reviewed_at", "actions_due_at"}),
    "investigation-report": frozenset({"investigation_completed_at", "urgent_concern_at"}),
    "acknowledgement": frozenset({"acknowledged_at"}),
    "learning-digest": frozenset({"tabled_at"}),
    "review-decision": frozenset(
        {"decided_at", "meeting_at", "investigation_due_at", "feedback_due_at", "actions_due_at"}
    ),
    "task-record": frozenset({"done_at"}),
}
BODY_MOMENTS = frozenset(moment for brought in BROUGHT.values() for moment in brought)

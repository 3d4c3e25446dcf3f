"""The one table of message types: a new type is its file, its example and one line here.

A version that has been released stays in the table for as long as anyone may send it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.acknowledgement import Acknowledgement
from schemas.call_log import CallLog
from schemas.case_review import CaseReview
from schemas.chase import Chase
from schemas.correction import Correction
from schemas.dcs_notification import DcsNotification
from schemas.dsl_confirmation import DslConfirmation
from schemas.dsl_letter import DslLetter
from schemas.envelope import Envelope
from schemas.final_decision import FinalDecision
from schemas.imr import Imr
from schemas.imr_request import ImrRequest
from schemas.information_request import InformationRequest
from schemas.information_return import InformationReturn
from schemas.investigation_report import InvestigationReport
from schemas.learning_digest import LearningDigest
from schemas.meeting_notice import MeetingNotice
from schemas.model import Body
from schemas.need_to_know import NeedToKnow
from schemas.panel_response import PanelResponse
from schemas.rapid_review_report import RapidReviewReport
from schemas.referral import Referral
from schemas.review_decision import ReviewDecision
from schemas.serious_incident_alert import SeriousIncidentAlert
from schemas.serious_incident_form import SeriousIncidentForm
from schemas.sin_record import SinRecord
from schemas.task_record import TaskRecord
from schemas.triage_decision import TriageDecision

FOLDER = Path(__file__).parent

REGISTRY: Mapping[tuple[str, int], type[Envelope[Any]]] = {
    (SeriousIncidentForm.TYPE, 1): Envelope[SeriousIncidentForm],
    (CallLog.TYPE, 1): Envelope[CallLog],
    (NeedToKnow.TYPE, 1): Envelope[NeedToKnow],
    (DcsNotification.TYPE, 1): Envelope[DcsNotification],
    (SeriousIncidentAlert.TYPE, 1): Envelope[SeriousIncidentAlert],
    (Referral.TYPE, 1): Envelope[Referral],
    (TriageDecision.TYPE, 1): Envelope[TriageDecision],
    (SinRecord.TYPE, 1): Envelope[SinRecord],
    (DslLetter.TYPE, 1): Envelope[DslLetter],
    (DslConfirmation.TYPE, 1): Envelope[DslConfirmation],
    (InformationRequest.TYPE, 1): Envelope[InformationRequest],
    (InformationReturn.TYPE, 1): Envelope[InformationReturn],
    (ImrRequest.TYPE, 1): Envelope[ImrRequest],
    (Imr.TYPE, 1): Envelope[Imr],
    (MeetingNotice.TYPE, 1): Envelope[MeetingNotice],
    (RapidReviewReport.TYPE, 1): Envelope[RapidReviewReport],
    (FinalDecision.TYPE, 1): Envelope[FinalDecision],
    (PanelResponse.TYPE, 1): Envelope[PanelResponse],
    (CaseReview.TYPE, 1): Envelope[CaseReview],
    (InvestigationReport.TYPE, 1): Envelope[InvestigationReport],
    (Acknowledgement.TYPE, 1): Envelope[Acknowledgement],
    (Chase.TYPE, 1): Envelope[Chase],
    (LearningDigest.TYPE, 1): Envelope[LearningDigest],
    (Correction.TYPE, 1): Envelope[Correction],
    (ReviewDecision.TYPE, 1): Envelope[ReviewDecision],
    (TaskRecord.TYPE, 1): Envelope[TaskRecord],
}
TYPES = frozenset(slug for slug, _ in REGISTRY)


def newest() -> dict[str, int]:
    """The newest version of each type."""
    return {slug: max(version for one, version in REGISTRY if one == slug) for slug in sorted(TYPES)}


def body_of(model: type[Envelope[Any]]) -> type[Body]:
    """The body class of an envelope in the table."""
    body = model.model_fields["body"].annotation
    if not (isinstance(body, type) and issubclass(body, Body)):
        raise TypeError("an envelope in the table has a body class of its own")
    return body


def schema_path(slug: str, version: int = 1) -> Path:
    """Where the published JSON Schema of a type stands."""
    return FOLDER / f"v{version}" / f"{slug}.schema.json"


def example_path(slug: str, version: int = 1) -> Path:
    """Where the valid, wholly invented example of a type stands."""
    return FOLDER / f"v{version}" / "examples" / f"{slug}.json"

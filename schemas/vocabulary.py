"""The closed vocabularies that more than one message type uses; a type's own words stand in its own file.

Members are their own spelling on the wire. A released word never changes meaning; new words come with a new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class LawfulBasis(StrEnum):
    """Why this may be shared (UK GDPR article 6, with article 9 and Schedule 1 to the Data Protection Act 2018).

    legal-obligation: 6(1)(c). public-task: 6(1)(e). Both with 9(2)(g) and Schedule 1 paragraph 18, safeguarding of
    children and individuals at risk. public-task-health: 6(1)(e) with 9(2)(h). vital-interests: 6(1)(d) with 9(2)(c).
    legitimate-interests: 6(1)(f), for bodies without a public task. law-enforcement: Part 3 of the Act, for the
    police. consent: 6(1)(a); not normally the basis, and never assumed.
    """

    LEGAL_OBLIGATION = "legal-obligation"
    PUBLIC_TASK = "public-task"
    PUBLIC_TASK_HEALTH = "public-task-health"
    VITAL_INTERESTS = "vital-interests"
    LEGITIMATE_INTERESTS = "legitimate-interests"
    LAW_ENFORCEMENT = "law-enforcement"
    CONSENT = "consent"


class Marking(StrEnum):
    """Handling marking. Always shown with its plain handling text: schools and voluntary bodies may not know it."""

    OFFICIAL = "OFFICIAL"
    OFFICIAL_SENSITIVE = "OFFICIAL-SENSITIVE"
    OFFICIAL_SENSITIVE_PERSONAL = "OFFICIAL-SENSITIVE: PERSONAL"
    PRIVATE_AND_CONFIDENTIAL = "PRIVATE AND CONFIDENTIAL"


HANDLING: Mapping[Marking, str] = {
    Marking.OFFICIAL: "For the people named as recipients and those who work with them on this matter.",
    Marking.OFFICIAL_SENSITIVE: (
        "Only for people who need it for this matter. Do not forward it, and store it where others cannot read it."
    ),
    Marking.OFFICIAL_SENSITIVE_PERSONAL: (
        "About identifiable people. Only for those who need it for this matter. Do not forward it, and store it "
        "where others cannot read it."
    ),
    Marking.PRIVATE_AND_CONFIDENTIAL: (
        "Only for the person or role it is addressed to. Do not copy or forward it, and store it where others "
        "cannot read it."
    ),
}


class Role(StrEnum):
    """A seat in an agency (contract section 4). Messages are addressed to roles, never to people."""

    REPORTER = "reporter"
    AGENCY_SAFEGUARDING_LEAD = "agency-safeguarding-lead"
    LINE_MANAGER = "line-manager"
    SERVICE_MANAGER = "service-manager"
    HEAD_OF_SERVICE = "head-of-service"
    HEAD_OF_SERVICE_SQA = "head-of-service-sqa"
    PRINCIPAL_SOCIAL_WORKER = "principal-social-worker"
    SQA_SERVICE_MANAGER = "sqa-service-manager"
    ASSISTANT_DIRECTOR = "assistant-director"
    SERVICE_DIRECTOR = "service-director"
    DCS = "dcs"
    STRATEGIC_DIRECTOR = "strategic-director"
    CHIEF_EXECUTIVE = "chief-executive"
    INVESTIGATING_OFFICER = "investigating-officer"
    ELECTED_MEMBER = "elected-member"
    CHILD_PROTECTION_ADVISOR = "child-protection-advisor"
    SCHOOL_IMPROVEMENT = "school-improvement"
    DSL = "dsl"
    DSP_LA = "dsp-la"
    DSP_ICB = "dsp-icb"
    DSP_POLICE = "dsp-police"
    SBU = "sbu"
    RAPID_REVIEW_GROUP = "rapid-review-group"
    EXECUTIVE = "executive"
    AGENCY_RESPONDER = "agency-responder"
    EDT = "edt"
    IG_OFFICER = "ig-officer"
    NATIONAL = "national"


class YesNoUnknown(StrEnum):
    """A question that someone may not be able to answer yet."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

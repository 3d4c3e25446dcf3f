"""What can be said in a receipt: the event names, their addresses, and what each does and does not prove.

Names without an owner of ours are those of ETSI EN 319 522-3 (electronic registered delivery), taken because they keep
apart what loose words run together. Their use is a choice of words: no conformance with that standard is claimed, and no
qualified service either. Two rules run through the list. A mail server that took a message (SMTP 250) never makes it
"delivered". Only a person's acknowledgement is an acknowledgement. Every event that tells of a failure carries a reason.
"""

from __future__ import annotations

import re
from enum import Enum


class Event(Enum):
    """An event's name as it stands in the statement, and one sentence of what is and what is not proved."""

    # submission
    SUBMISSION_ACCEPTANCE = (
        "SubmissionAcceptance",
        "The gateway took the message and owes its delivery; not that anyone else has it.",
    )
    SUBMISSION_REJECTION = (
        "SubmissionRejection",
        "The gateway refused the message and kept none of its content; not that the refusal was right.",
    )
    # between the gateway and another system
    RELAY_ACCEPTANCE = (
        "RelayAcceptance",
        "Another delivery gateway signed that it took over the delivery; not that the recipient has the message.",
    )
    RELAY_REJECTION = (
        "RelayRejection",
        "Another delivery gateway refused to take over the delivery; not that the recipient refused it.",
    )
    RELAY_FAILURE = (
        "RelayFailure",
        "No other system took the message after every attempt; not whose fault that was.",
    )
    RELAY_TO_NON_ERDS = (
        "RelayToNonERDS",
        "An ordinary mail server answered that it took the message; not that it was delivered, shown or read.",
    )
    RELAY_TO_NON_ERDS_FAILURE = (
        "RelayToNonERDSFailure",
        "A mail server refused the message, or a notice says that it came back, which anyone can forge; not that the "
        "recipient knows of it.",
    )
    RECEIVED_FROM_NON_ERDS = (
        "ReceivedFromNonERDS",
        "A message reached the gateway by ordinary e-mail; not who wrote it, unless another receipt says so.",
    )
    # at the recipient's side
    CONTENT_CONSIGNMENT = (
        "ContentConsignment",
        "The message lies where the recipient can collect it; not that anyone has opened it.",
    )
    CONTENT_CONSIGNMENT_FAILURE = (
        "ContentConsignmentFailure",
        "The message could not be put where the recipient collects; not that the recipient is at fault.",
    )
    CONSIGNMENT_NOTIFICATION = (
        "ConsignmentNotification",
        "The recipient was sent word that a message waits; not that the word arrived.",
    )
    CONSIGNMENT_NOTIFICATION_FAILURE = (
        "ConsignmentNotificationFailure",
        "Word that a message waits could not be sent; the message itself still waits.",
    )
    NOTIFICATION_DELIVERED = (
        "NotificationDelivered",
        "The recipient's side confirmed that word of a waiting message arrived; not that the message was collected.",
    )
    NOTIFICATION_ACCESS_TRACKING = (
        "NotificationAccessTracking",
        "Word of a waiting message was opened; not that the message was collected.",
    )
    NOTIFICATION_FOR_ACCEPTANCE = (
        "NotificationForAcceptance",
        "The recipient was asked to accept the message; not that the question arrived.",
    )
    NOTIFICATION_FOR_ACCEPTANCE_FAILURE = (
        "NotificationForAcceptanceFailure",
        "The question whether the message is accepted could not be sent; nothing about the recipient's answer.",
    )
    CONTENT_ACCESS_TRACKING = (
        "ContentAccessTracking",
        "Something claims that the message was opened: a sign-in, a token, or a mail program's own notice, as the "
        "basis says; not that a person read it.",
    )
    CONTENT_HANDOVER = (
        "ContentHandover",
        "The recipient's own system fetched or took the message; not that a person has seen it.",
    )
    CONTENT_HANDOVER_FAILURE = (
        "ContentHandoverFailure",
        "The recipient's own system did not take the message after every attempt; not why.",
    )
    CONSIGNMENT_ACCEPTANCE = (
        "ConsignmentAcceptance",
        "A person at the recipient acknowledged the message; not that what it asks was done.",
    )
    CONSIGNMENT_REJECTION = (
        "ConsignmentRejection",
        "A person at the recipient declined the message; not that the sender was wrong to send it.",
    )
    ACCEPTANCE_REJECTION_EXPIRY = (
        "AcceptanceRejectionExpiry",
        "The time to accept or decline ran out without an answer reaching the gateway; not why.",
    )
    # our own: the life of a message
    ROUTED = ("Routed", "The rules in force chose these recipients and ways; not that anything was sent yet.")
    RELAY_ATTEMPT = ("RelayAttempt", "One attempt to hand the message over was made; not that it succeeded.")
    UNDELIVERABLE = (
        "DeliveryFailure",
        "The gateway gave this delivery up and told an officer; not that the recipient was told by other means.",
    )
    RECALLED = ("Recalled", "The sender withdrew the message; not that nobody had read it before.")
    REPLIED = (
        "Replied",
        "A reply was matched to the message that asked for it; not that what it says is true.",
    )
    HELD = ("Held", "The gateway stopped here and asked an officer; not that anything is wrong.")
    RELEASED = ("Released", "An officer let a held piece go on; not that it arrived.")
    # our own: decisions and duties
    MATTER_OPENED = (
        "MatterOpened",
        "A matter that comes round was opened by the calendar, with what is owed on it; not that anyone has begun.",
    )
    MOMENT_RECORDED = (
        "MomentRecorded",
        "A moment that starts clocks was recorded as stated; not that it is true.",
    )
    DECISION_REACHED = (
        "DecisionReached",
        "All who must decide had decided, with this outcome; not that the decision was right.",
    )
    DUTY_OPENED = (
        "DutyOpened",
        "An agency owes an answer by the committed instant; not that it knows of it.",
    )
    DUTY_MET = (
        "DutyMet",
        "What was owed reached the gateway in time or late, as committed; not its quality.",
    )
    DUTY_WAIVED = ("DutyWaived", "Two officers released an agency from a duty; not that the duty was done.")
    DUTY_ENDED = (
        "DutyEnded",
        "A decision on record made a duty needless; not that the duty was done, nor that the decision was right.",
    )
    DEADLINE_MISSED = (
        "DeadlineMissed",
        "Every way in was read past the due instant and nothing had come; not that nothing was done elsewhere.",
    )
    DUTY_RESCHEDULED = (
        "DutyRescheduled",
        "An open duty is due at another instant from now on, as committed; not that its owner knows of it.",
    )
    DUTY_OWED_AGAIN = (
        "DutyOwedAgain",
        "The answer to a duty was taken back, so that it is owed as before; not that it was wrong.",
    )
    DUTY_EXPLAINED = (
        "DutyExplained",
        "A reason was recorded for a duty missed, met late or met before its day; not that it is a good one.",
    )
    REMINDER_SENT = ("ReminderSent", "A reminder was handed to delivery; not that it was read.")
    ESCALATED = ("Escalated", "The matter was handed to the next role; not that the role has acted.")
    CLOSED = ("Closed", "The gateway considers this chain complete; not that the matter itself is at an end.")
    CHAINS_COUNTED = (
        "ChainsCounted",
        "So many receipts the other chains had when the next receipt was made; not that nothing came afterwards.",
    )
    REOPENED = (
        "Reopened",
        "A closed incident was taken up again; not that anything new is known.",
    )
    CORRECTED = ("Corrected", "A later message corrects an earlier one; the earlier one stays as it was.")
    BREACH_RECORDED = (
        "BreachRecorded",
        "An officer recorded a breach of personal data and since when it was known; not that it was one.",
    )
    BREACH_CLOSED = (
        "BreachClosed",
        "The breach was reported, or officers decided that it need not be; not that the regulator agrees.",
    )
    # our own: incidents about one child
    POSSIBLE_DUPLICATE = (
        "PossibleDuplicate",
        "The gateway found a likeness to another incident and asked an officer; not that the child is the same.",
    )
    INCIDENTS_LINKED = (
        "IncidentsLinked",
        "An officer said that two incidents are about the same child; not that they are one matter.",
    )
    INCIDENTS_UNLINKED = (
        "IncidentsUnlinked",
        "An officer took back a link between two incidents; not who relied on it meanwhile.",
    )
    TOLD_APART = (
        "IncidentsToldApart",
        "An officer said that two incidents which looked alike are not about the same child; not that this is so.",
    )
    GUESTS_CHANGED = (
        "GuestsChanged",
        "Two officers let an agency take part as a guest, or no longer; not that it was told.",
    )
    TRANSFERRED = (
        "Transferred",
        "Two officers moved responsibility for the incident, as committed; not that the new side has acted.",
    )
    # our own: content and access
    ERASURE_ORDERED = (
        "ErasureOrdered",
        "Two officers ordered that the content be erased; not that it is erased yet.",
    )
    CONTENT_ERASED = (
        "ContentErased",
        "The gateway destroyed its keys to the content; not that other agencies destroyed their copies.",
    )
    LEGAL_HOLD_PLACED = (
        "LegalHoldPlaced",
        "Erasure was barred from now on; nothing about the content itself.",
    )
    LEGAL_HOLD_LIFTED = ("LegalHoldLifted", "Erasure is possible again; not that anything was erased.")
    POLICE_HOLD_PLACED = (
        "PoliceHoldPlaced",
        "Disclosure was stopped from now on, as the rules say; not that nothing was disclosed before.",
    )
    POLICE_HOLD_LIFTED = (
        "PoliceHoldLifted",
        "Two officers ended the stop on disclosure; not that what waited has been sent.",
    )
    EVIDENCE_EXPORTED = ("EvidenceExported", "An evidence bundle was made; not where it went afterwards.")
    REGISTER_EXPORTED = (
        "RegisterExported",
        "A register or report was handed out; not who read it afterwards.",
    )
    REGISTER_IMPORTED = (
        "RegisterImported",
        "Rows of an older register were taken over as they stood; not that they are true.",
    )
    INCIDENT_VIEWED = (
        "IncidentViewed",
        "A signed-in person opened the incident; not that it was read or why.",
    )
    ACCESS_RESTRICTED = (
        "AccessRestricted",
        "From now on only named officers may open the incident; not who had opened it before.",
    )
    ACCESS_GRANTED = (
        "AccessGranted",
        "One more officer may open a restricted incident; not that they have.",
    )
    RESTRICTION_LIFTED = (
        "RestrictionLifted",
        "Two officers let every officer open the incident again; not that anybody has.",
    )
    RESTRICTION_OVERRIDDEN = (
        "RestrictionOverridden",
        "An officer who is not named opened a restricted incident, for this reason and a time; not that they had to.",
    )
    AGREEMENT_ASKED = (
        "AgreementAsked",
        "An officer asked a second one to agree to something; not that it was done.",
    )
    AGREEMENT_REFUSED = (
        "AgreementRefused",
        "An officer refused or withdrew what takes two; not that it was wrong to ask.",
    )
    OFFICER_CHANGED = (
        "OfficerChanged",
        "Who may work in the console, or in which role, was changed; not what they then did.",
    )
    INCIDENT_SEARCHED = ("IncidentSearched", "A signed-in person searched incidents; not what was then read.")
    # our own: the gateway itself
    KEY_INTRODUCED = ("KeyIntroduced", "A key is in use from now on; not that nobody else holds it.")
    KEY_RETIRED = ("KeyRetired", "A key is no longer used; what it signed before stays good.")
    KEY_REVOKED = (
        "KeyRevoked",
        "A key is not to be trusted from now on; not since when it was in wrong hands.",
    )
    KEY_ESCROWED = ("KeyEscrowed", "A key was split into shares for keepers; not that they keep them apart.")
    CALENDAR_CHANGED = (
        "CalendarChanged",
        "Two officers put another list of bank holidays in force; not that it is right.",
    )
    PACK_REPLAYED = (
        "PackReplayed",
        "A rule pack was tried on the messages of the past and two officers saw what differs; not that it is right.",
    )
    PACK_ACTIVATED = ("PackActivated", "A rule pack is in force from now on; not that its rules are right.")
    DIRECTORY_CHANGED = (
        "DirectoryChanged",
        "An entry of the directory was changed by two officers; not that it is true.",
    )
    WAY_TRIED = (
        "WayTried",
        "An officer sent a test by the way in which somebody of the directory is reached; not that anybody read it.",
    )
    ABSENCE_ANNOUNCED = (
        "AbsenceAnnounced",
        "An officer noted when somebody of the directory is away, or back; not that it is so.",
    )
    CLIENT_CHANGED = (
        "ClientChanged",
        "An agency's software or its keys were changed; not who holds those keys.",
    )
    HEARTBEAT = (
        "Heartbeat",
        "The gateway was running and counted its open work; not that the count is complete.",
    )
    LOG_CONTINUED = (
        "LogContinued",
        "A new log follows on the last checkpoint of the one before, which it names; nothing about the events in either.",
    )
    LOG_RESTARTED = (
        "LogRestarted",
        "Two officers began the log anew because a witness had signed another or a larger one; not what the lost entries said.",
    )
    RENEWAL = ("Renewal", "Older evidence was stamped anew; nothing about the events themselves.")

    def __init__(self, text: str, meaning: str) -> None:
        self.text = text
        self.meaning = meaning

    @classmethod
    def named(cls, text: str) -> Event:
        """The event of that name; KeyError when there is none."""
        return _BY_NAME[text]

    @property
    def title(self) -> str:
        """ "SubmissionAcceptance" as "Submission acceptance"."""
        parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.text).replace("Non ERDS", "ordinary mail")
        return parted[:1] + parted[1:].lower()

    @property
    def is_etsi(self) -> bool:
        """Is the name one of EN 319 522-3, rather than one of ours?"""
        return self in _ETSI

    @property
    def needs_reason(self) -> bool:
        """Does the statement have to carry a coarse reason code?"""
        return self.text.endswith(_NEGATIVE_ENDINGS)


_NEGATIVE_ENDINGS = ("Failure", "Rejection", "Expiry", "Missed", "Held", "Waived", "Revoked")
_BY_NAME = {event.text: event for event in Event}
_ETSI = frozenset(list(Event)[: list(Event).index(Event.ROUTED)])

"""Parcels with wholly invented content, and the words that must never leave through a thin adapter."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.core.deliveries import Letter, LetterFile, Parcel
from gateway.core.messages import AgencyId, DeliveryId, IncidentId, MessageId, RoleId

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the specification's example
CONTENT = ("Rowan", "Testchild", "999 123 4567", "bruise")


def a_parcel(
    address: str | None, *, secret: str | None = SECRET, delivery: str = "dlv-4kq7", attempt: int = 1
) -> Parcel:
    """A parcel that carries a letter with personal data, whatever the adapter is: a thin one must leave it behind."""
    text = f"About {CONTENT[0]} {CONTENT[1]}, NHS {CONTENT[2]}: a {CONTENT[3]} was seen."
    return Parcel(
        delivery=DeliveryId(delivery),
        message=MessageId("msg-9x2m"),
        message_type="referral",
        incident=IncidentId("SI-7K3M-9QPX-2D"),
        agency=AgencyId("northern-school"),
        role=RoleId("dsl"),
        address=address,
        attempt=attempt,
        created_at=AT,
        letter=Letter(
            subject="Private and confidential: confirmation needed, reference SG-7K3M-9QPX-2D",
            text=text,
            html=f"<p>{text}</p>",
            files=(LetterFile("reply.txt", "text/plain", text.encode()),),
            reply_token="rt-5f1c",
        ),
        secret=secret,
    )

"""The inbox: a parcel held for an agency to collect over the API.

The inbox is the delivery row itself, so the parcel lies there from the moment it was recorded: nothing is sent, and
nothing can fail. ETSI EN 319 522-1 names this event a content consignment. It is no acknowledgement: only a person's is.
"""

from __future__ import annotations

from gateway.core.deliveries import Delivered, Parcel


class InboxAdapter:
    """Says that the recipient's inbox has it."""

    name = "inbox"

    async def deliver(self, parcel: Parcel) -> Delivered:
        return Delivered("ContentConsignment", {})

    async def aclose(self) -> None:
        """Nothing is kept open."""

"""The public contract: one strict model per message type, its published JSON Schema, and one valid example each.

Reading goes `strict_json` (one reading or none) -> `registry` (type and version to model) -> `reading` (the typed
message, or a refusal without content). `conversions` shows it in another version. `facts` is all that rules see of a body. `python -m schemas.publish` writes the
schema files. This package knows `gateway.core` and nothing else of the house.
"""

from schemas.envelope import Envelope, facts
from schemas.reading import read_message, read_object, write_message
from schemas.registry import REGISTRY, TYPES, example_path, newest, schema_path

__all__ = [
    "REGISTRY",
    "TYPES",
    "Envelope",
    "example_path",
    "facts",
    "newest",
    "read_message",
    "read_object",
    "schema_path",
    "write_message",
]

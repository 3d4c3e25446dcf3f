"""What schemathesis is told: how a partner comes in. It runs in an environment of its own (deploy/locks/schemathesis.txt).

The credentials are those of the guide's own example in Python: a token, and a fresh proof for each request.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import schemathesis
from joserfc.jwk import import_key

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deploy" / "guides" / "examples"))

import connect

PARTNER = connect.Gateway(
    os.environ["SCHEMATHESIS_GATEWAY"],
    os.environ["SCHEMATHESIS_CLIENT"],
    import_key(json.loads(Path(os.environ["SCHEMATHESIS_KEY"]).read_text())),
)


@schemathesis.auth(refresh_interval=None)
class Partner:
    """A token that is kept, and a proof that is never used twice."""

    def get(self, case: Any, context: Any) -> str:
        return PARTNER.get_token()

    def set(self, case: Any, token: str, context: Any) -> None:
        case.headers["Authorization"] = f"DPoP {token}"
        case.headers["DPoP"] = PARTNER.proof(case.method.upper(), case.formatted_path, token)

"""Every setting as `gateway doctor` shows it: value, meaning and origin. Invariant: no password, user or query of an address
is shown, and no content of a file that a setting names.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

from gateway.settings import FILE_VARIABLE, PREFIX, Settings, settings_file

Origin = Literal["environment", "file", "default"]


@dataclass(frozen=True, slots=True)
class Listed:
    """One setting: the variable, what it means, its value without secrets, and where the value came from."""

    variable: str
    means: str
    value: str
    origin: Origin


def list_settings(settings: Settings) -> list[Listed]:
    """Every setting in the order in which they are declared, its value without secrets and where it came from."""
    origins, file = _origins(), settings_file()
    where: Origin = "environment" if os.environ.get(FILE_VARIABLE) else "default"
    return [
        Listed(FILE_VARIABLE, "the settings file in force, if any", str(file or ""), where),
        *(
            Listed(
                variable=PREFIX + name.upper(),
                means=field.description or "",
                value=_shown(getattr(settings, name)),
                origin=origins.get(name, "default"),
            )
            for name, field in Settings.model_fields.items()
        ),
    ]


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """`GATEWAY_…` names in the environment that are no setting: slips of the pen, shown by `gateway doctor`."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {FILE_VARIABLE}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def _origins() -> dict[str, Origin]:
    origins: dict[str, Origin] = {}
    if path := settings_file():
        origins.update(dict.fromkeys(tomllib.loads(path.read_text()), "file"))
    for name in Settings.model_fields:
        if os.environ.get(PREFIX + name.upper()):
            origins[name] = "environment"
    return origins


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(_without_credentials(str(word)) for word in value)
    return _without_credentials(str(value))


def _without_credentials(text: str) -> str:
    """An address without its password, user or query: credentials hide in each of them."""
    url = urlsplit(text)
    if not url.netloc:
        return text.partition("?")[0]
    host = url.netloc.rpartition("@")[2]
    return urlunsplit(SplitResult(url.scheme, host, url.path, "", ""))

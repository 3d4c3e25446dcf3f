"""Writes the first revision of each history from the tables: `python -m gateway.store.migrations.first`.

Only while nothing is released. A test fails when the revisions and the tables differ. The revision names plain types,
so that it goes on meaning the same when the tables' own types change.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, get_args

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript, UpgradeOps
from alembic.runtime.migration import MigrationContext

from gateway.store.migrations import Which, metadata
from gateway.store.tables import Instant

_HEAD = '''"""The first tables of the {which}: written by `python -m gateway.store.migrations.first`, not by hand."""

import sqlalchemy as sa
from alembic import op

revision = "{which}_first"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    {body}
'''


def source(which: Which) -> str:
    """The text of the first revision of `which`, not yet formatted."""
    return _HEAD.format(which=which, body=_operations(which))


def _operations(which: Which) -> str:
    engine = sa.create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"render_item": _plain_type})
            script: MigrationScript = produce_migrations(context, metadata(which))
            operations = script.upgrade_ops
            assert isinstance(operations, UpgradeOps)
            code = render_python_code(operations, render_item=_plain_type, migration_context=context)
            return "\n".join(line for line in code.splitlines() if "# ###" not in line).strip()
    finally:
        engine.dispose()


def _plain_type(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    if kind == "type" and isinstance(item, Instant):
        return f"sa.{item.impl_instance!r}"
    return False


if __name__ == "__main__":
    for which in get_args(Which):
        path = Path(__file__).parent / which / "first.py"
        path.write_text(source(which), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(path)], check=True)  # noqa: S603
        sys.stdout.write(f"{path}\n")

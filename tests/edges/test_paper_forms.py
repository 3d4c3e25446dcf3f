"""The forms on paper: every message that a pack takes, with every field, by command and in the console (G-13)."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from gateway.cli.forms import app
from gateway.console.forms import form_of
from gateway.console.paper import html, leaves, sheet_of, style_sheet, types_of
from gateway.console.paper_pdf import pdf
from gateway.core.errors import Refused
from gateway.core.messages import is_entered_late
from gateway.partnerships import packs
from schemas.registry import TYPES

TOWER_HAMLETS = packs.shipped("tower-hamlets")
ALERT = "serious-incident-alert"


@pytest.mark.parametrize("name", packs.names())
def test_g_13_every_message_that_a_pack_takes_has_a_form_with_every_field(name: str) -> None:
    pack = packs.shipped(name)
    assert set(types_of(pack)) <= TYPES
    for slug in types_of(pack):
        page = html(sheet_of(pack, slug))
        on_paper = set(re.findall(r'data-name="([^"]+)"', page))
        wanted = {field.name for field in leaves(form_of(slug))}
        assert wanted | {"reference", "incident", "in_reply_to", "created_at"} <= on_paper, slug


def test_g_13_a_form_says_who_sends_it_who_gets_it_and_what_is_then_owed() -> None:
    told = dict(sheet_of(TOWER_HAMLETS, ALERT).head)
    assert "Police" in told["Who sends it"]
    assert "Safeguarding Business Unit" in told["Who gets it"]
    assert "K08, 24 hours" in told["What is then owed"]
    with pytest.raises(Refused):
        sheet_of(TOWER_HAMLETS, "triage-decision")


def test_g_13_the_pdf_says_what_the_page_says_and_is_the_same_each_time() -> None:
    sheet = sheet_of(TOWER_HAMLETS, ALERT)
    made = pdf(sheet)
    assert made == pdf(sheet)
    read = PdfReader(io.BytesIO(made))
    text = " ".join(" ".join(page.extract_text() for page in read.pages).split())
    page = html(sheet)
    said = [*re.findall(r'<p class="label">([^<]+)', page), *re.findall(r"<h[2-6]>([^<]+)", page)]
    missing = [one for one in map(str.strip, map(unescape, said)) if " ".join(one.split()) not in text]
    assert (missing, len(said) > 50) == ([], True)
    assert text.count("\N{LOWER RIGHT DROP-SHADOWED WHITE SQUARE}") == page.count('class="box"')


def test_g_13_a_page_for_a_file_needs_nothing_else() -> None:
    page = html(sheet_of(TOWER_HAMLETS, ALERT), style=style_sheet())
    assert "<link" not in page
    assert "@page" in page


def test_g_13_a_pack_s_forms_are_written_as_files(tmp_path: Path) -> None:
    run = CliRunner()
    listed = json.loads(run.invoke(app, ["list", "derby", "--json"]).stdout)
    assert {"type": "need-to-know", "title": "Need to Know"} in listed["forms"]
    out = tmp_path / "forms"
    words = ["print", "derby", "--type", "need-to-know", "--type", "call-log", "--out", str(out)]
    assert run.invoke(app, words).exit_code == 0
    assert sorted(file.name for file in out.iterdir()) == ["derby-call-log.pdf", "derby-need-to-know.pdf"]
    assert run.invoke(app, [*words, "--html"]).exit_code == 0
    assert "Need to Know" in (out / "derby-need-to-know.html").read_text()
    taken = tmp_path / "a-file"
    taken.write_text("")
    assert run.invoke(app, ["print", "derby", "--out", str(taken / "x")]).exit_code == 2


def test_g_13_what_was_written_hours_before_it_came_is_entered_late() -> None:
    """C-16: both times are kept; a slow line is no late entry."""
    at = datetime(2026, 11, 2, 10, tzinfo=UTC)
    assert is_entered_late(at - timedelta(hours=3), at)
    assert not is_entered_late(at - timedelta(hours=2), at)

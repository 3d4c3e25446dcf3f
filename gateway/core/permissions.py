"""Who may do what in the console: one table from what a page needs to the officers' roles that may have it.

Invariant: what the table does not give is refused; a role that is unknown gives nothing. An auditor reads and changes nothing,
and opens no content; an administrator sets people up and opens no incident. Sources: domain analysis section 8 (minimisation,
need to know), architecture section 9.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class OfficerRole(StrEnum):
    """What a person is in the console. Somebody may be several."""

    OFFICER = "officer"  # does the unit's daily work
    MANAGER = "manager"  # the same, and is told of what is unusual
    AUDITOR = "auditor"  # reads what was done, changes nothing
    ADMINISTRATOR = "administrator"  # sets officers up


class Needs(StrEnum):
    """What a visitor must be allowed to do."""

    NOTHING = "nothing"  # open to anyone, signed in or not
    SESSION = "session"  # any officer who is signed in
    SEE_LISTS = "see-lists"  # ids, codes and counts over all incidents of their partnerships
    OPEN_INCIDENTS = "open-incidents"  # one incident: what is owed, sent, stated; not what its messages say
    OPEN_CONTENT = "open-content"  # what a message says
    SEARCH = "search"  # look for a child
    OPEN_HELD = "open-held"  # one held thing, without what it says
    DECIDE = "decide"  # release, stop, answer, link
    EXPORT = "export"  # take evidence away
    RESTRICT = "restrict"  # let only named officers open an incident
    OVERRIDE = "override"  # open a restricted incident without being named
    SEE_ACCESS = "see-access"  # who opened what against a restriction, who searched and took out how much
    SEE_OFFICERS = "see-officers"  # who the officers are
    CHANGE_OFFICERS = "change-officers"  # invite, suspend
    SET_ROTA = "set-rota"  # who is on call
    AGREE = "agree"  # see what waits for a second officer; to be it, one needs what the act needs


_O, _M, _U, _A = OfficerRole
_ALL = frozenset(OfficerRole)

WHO_MAY: Mapping[Needs, frozenset[OfficerRole]] = {
    Needs.SESSION: _ALL,
    Needs.SEE_LISTS: _ALL,
    Needs.OPEN_INCIDENTS: frozenset({_O, _M, _U}),
    Needs.OPEN_CONTENT: frozenset({_O, _M}),
    Needs.SEARCH: frozenset({_O, _M}),
    Needs.OPEN_HELD: frozenset({_O, _M, _U}),
    Needs.DECIDE: frozenset({_O, _M}),
    Needs.EXPORT: frozenset({_O, _M}),
    Needs.RESTRICT: frozenset({_M}),
    Needs.OVERRIDE: frozenset({_O, _M}),
    Needs.SEE_ACCESS: frozenset({_M, _U}),
    Needs.SEE_OFFICERS: frozenset({_M, _U, _A}),
    Needs.CHANGE_OFFICERS: frozenset({_A}),
    Needs.SET_ROTA: frozenset({_M, _A}),
    Needs.AGREE: frozenset({_O, _M, _A}),
}


def may(roles: Iterable[OfficerRole], needs: Needs) -> bool:
    """Whether somebody of these roles may do it. With no role nothing is allowed but what is open to anyone."""
    return needs is Needs.NOTHING or not WHO_MAY.get(needs, frozenset()).isdisjoint(roles)


def known_roles(words: Iterable[object]) -> frozenset[OfficerRole]:
    """The roles among these words; what is no role of ours gives nothing."""
    return frozenset(role for role in OfficerRole if role.value in set(map(str, words)))

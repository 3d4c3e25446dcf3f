"""Ages as the rules need them: attained at the start of the birthday, 29 February's birthday falls on 1 March.

The choice of 1 March is ours, written down because nothing else in the rules decides it (edge case 16 of the domain
analysis, section 11.6): in a year without a 29 February the person is a day older only when that day would have passed.
Care leavers are in scope up to and including 24 (P-04, S4-02); a child is under 18 (X-23).
"""

from __future__ import annotations

from datetime import date

ADULT_AGE = 18
CARE_LEAVER_LAST_AGE = 24


def birthday(born_on: date, age: int) -> date:
    """The day on which a person reaches `age` (whole years)."""
    year = born_on.year + age
    try:
        return born_on.replace(year=year)
    except ValueError:  # 29 February in a common year
        return date(year, 3, 1)


def age_on(born_on: date, on: date) -> int:
    """Whole years of age on a day; negative before birth (an expected date of birth)."""
    years = on.year - born_on.year
    return years if on >= birthday(born_on, years) else years - 1

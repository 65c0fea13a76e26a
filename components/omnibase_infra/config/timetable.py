"""How often a time table of cron comes round."""

from __future__ import annotations

import datetime
import itertools

_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_DAYS = 4 * 366
"""A table that names the 29th of February comes round only once in four years."""
_MINUTE, _DAY = 60, 86_400


def longest_gap(table: str) -> int:
    """Seconds between two times of a valid table, the most that there can be.

    Where both a day of the month and a day of the week are named, cron takes days that are either.
    """
    minutes, hours, days, months, weekdays = (
        _values(field, *bounds) for field, bounds in zip(table.split(" "), _BOUNDS, strict=True)
    )
    times = sorted(_MINUTE * (60 * hour + minute) for hour in hours for minute in minutes)
    weekdays = {day % 7 for day in weekdays}
    both = "*" not in (table.split(" ")[2][:1], table.split(" ")[4][:1])
    start = datetime.date(2024, 1, 1)
    chosen = []
    for number in range(_DAYS):
        day = start + datetime.timedelta(days=number)
        of_month, of_week = day.day in days, day.isoweekday() % 7 in weekdays
        if day.month in months and (of_month or of_week if both else of_month and of_week):
            chosen.append(number)
    within = [after - before for before, after in itertools.pairwise(times)]
    over_night = [(after - before) * _DAY - times[-1] + times[0] for before, after in itertools.pairwise(chosen)]
    return max([*within, *over_night], default=_DAYS * _DAY)


def _values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        begin = low if first == "*" else int(first)
        end = high if first == "*" else int(last or first)
        found |= set(range(begin, end + 1, int(step or 1)))
    return found

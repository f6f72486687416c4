"""Availability windows: recurring times of the week in which a backend takes tasks."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.backend import Window

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEK = dt.timedelta(days=7)


def closes_in_s(windows: Sequence[Window], now: dt.datetime) -> float:
    """Seconds until the backend stops taking tasks.

    Windows that touch or overlap count as one.

    Args:
        windows: The backend's windows; none means always open.
        now: The moment, aware.

    Returns:
        Seconds; infinite when it never closes, 0 when it is closed now.
    """
    if not windows:
        return float("inf")
    end = now
    while (later := max((_end(window, end) for window in windows), default=end)) > end:
        end = later
        if end - now > _WEEK:
            return float("inf")
    return (end - now).total_seconds()


def _end(window: Window, moment: dt.datetime) -> dt.datetime:
    """When the window that is open at ``moment`` ends; ``moment`` itself if it is not open."""
    today = moment.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (today - dt.timedelta(days=1), today):
        if window.days and _DAYS[day.weekday()] not in window.days:
            continue
        start, end = day + _time_of_day(window.start), day + _time_of_day(window.end)
        if end <= start:
            end += dt.timedelta(days=1)
        if start <= moment < end:
            return end
    return moment


def _time_of_day(text: str) -> dt.timedelta:
    hours, minutes = text.split(":")
    return dt.timedelta(hours=int(hours), minutes=int(minutes))

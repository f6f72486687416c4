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


def opens_at(windows: Sequence[Window], now: dt.datetime) -> dt.datetime | None:
    """When a backend that is closed begins to take tasks.

    Args:
        windows: The backend's windows.
        now: The moment, aware.

    Returns:
        The start of the next window after ``now``; None without windows.
    """
    today = _midnight(now)
    days = [today + dt.timedelta(days=ahead) for ahead in range(8)]
    starts = (
        day + _time_of_day(window.start)
        for window in windows
        for day in days
        if not window.days or _DAYS[day.weekday()] in window.days
    )
    return min((start for start in starts if start > now), default=None)


def _end(window: Window, moment: dt.datetime) -> dt.datetime:
    """When the window that is open at ``moment`` ends; ``moment`` itself if it is not open."""
    today = _midnight(moment)
    for day in (today - dt.timedelta(days=1), today):
        if window.days and _DAYS[day.weekday()] not in window.days:
            continue
        start, end = day + _time_of_day(window.start), day + _time_of_day(window.end)
        if end <= start:
            end += dt.timedelta(days=1)
        if start <= moment < end:
            return end
    return moment


def _midnight(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _time_of_day(text: str) -> dt.timedelta:
    hours, minutes = text.split(":")
    return dt.timedelta(hours=int(hours), minutes=int(minutes))

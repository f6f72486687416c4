from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from qsched.cli.progress import follow
from qsched.cli.render_jobs import JobRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsched.api.job import Phase


def row(name: str, phase: Phase, backend: str | None = None, message: str = "") -> JobRow:
    return JobRow("default", name, phase, backend, message, None, None)


class Script:
    """Gives the next scene at each look, the last one for ever; pauses take no time."""

    def __init__(self, *scenes: Sequence[JobRow]) -> None:
        self.scenes = list(scenes)
        self.pauses = 0

    def __call__(self) -> Sequence[JobRow]:
        return self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]

    def pause(self, _: float) -> None:
        self.pauses += 1


def played(script: Script, *, terminal: bool = False, timeout_s: float | None = None) -> tuple[bool, str]:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=terminal, color_system=None)
    return follow(script, console, timeout_s=timeout_s, pause=script.pause), file.getvalue()


def test_each_change_is_a_line_and_the_end_ends_it() -> None:
    script = Script(
        [row("a", "Pending", message="waits for a cycle")],
        [row("a", "Placed", "kyoto")],
        [row("a", "Placed", "kyoto")],
        [row("a", "Placed", "osaka")],
        [row("a", "Failed", message="no such gate")],
    )
    assert played(script) == (
        True,
        "a Pending: waits for a cycle\na Placed on kyoto\na Placed on osaka\na Failed: no such gate\n",
    )


def test_all_jobs_must_have_ended() -> None:
    done, running = row("a", "Complete"), row("b", "Running", "kyoto")
    script = Script([done, running], [done, running], [done, row("b", "Complete", "kyoto")])
    assert played(script)[0]
    assert script.pauses == 2


def test_a_timeout_ends_the_watching_and_not_the_job() -> None:
    script = Script([row("a", "Running", "kyoto")])
    assert not played(script, timeout_s=0)[0]
    assert script.pauses == 0


def test_a_terminal_shows_a_live_view_and_clears_it() -> None:
    script = Script([row("a", "Running", "kyoto")], [row("a", "Complete", "kyoto")])
    ended, shown = played(script, terminal=True)
    assert ended
    assert "0 of 1 job ended" in shown
    assert shown.rstrip().endswith("\x1b[2K"), "the view is erased, so that results follow the command"

"""The terminal during a run: a line with the part and the time, its bars, and what it prints above them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console
    from rich.progress import TaskID

    from benchmarks.progress import Bar


class Display:
    """What one part does, for as long as the block lasts; without a terminal, a line when it starts.

    Args:
        console: What it is shown on.
        name: The part's.
        before: How many parts are behind.
        parts: How many there are.
    """

    def __init__(self, console: Console, name: str, before: int, parts: int) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._console = console
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._says = f"{name}, part {before + 1} of {parts}"
        self._before, self._parts = before, parts
        self._bars: dict[int, TaskID] = {}
        self._unended = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
            self._progress.add_task(self._says, completed=self._before, total=self._parts)
        else:
            self._console.print(self._says, soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._unended:
            self.say("\n")
        self._progress.stop()

    def say(self, printed: str) -> None:
        """Show what a part printed, by whole lines."""
        *lines, self._unended = (self._unended + printed).split("\n")
        for line in lines:
            self._console.print(Text(f"  {line}", style="dim"), soft_wrap=True)

    def bar(self, bar: Bar) -> None:
        """Show a bar as it is now."""
        if bar.ended:
            if (task := self._bars.pop(bar.number, None)) is not None:
                self._progress.remove_task(task)
            return
        if (task := self._bars.get(bar.number)) is not None:
            self._progress.update(task, completed=bar.done)
        else:
            task = self._progress.add_task(f"  {bar.says}", total=bar.total, completed=bar.done)
            self._bars[bar.number] = task

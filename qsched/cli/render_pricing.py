"""Prices: a price list in one line, where it comes from, and the presets with their age."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Text

from qsched.cli import words
from qsched.cli.render_style import grid
from qsched.presets.pricing import OLD_AFTER_DAYS, price_of, priced_drivers

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

    from qsched.api.backend import BackendSpec, Pricing
    from qsched.presets.pricing import PricePreset

_PRICE_UNITS = (
    ("per_task", "task"),
    ("per_shot", "shot"),
    ("per_second", "s"),
    ("per_one_qubit_gate", "1q gate"),
    ("per_two_qubit_gate", "2q gate"),
    ("per_measurement", "measurement"),
)


def price(pricing: Pricing | None) -> str:
    """A price list in one line, such as ``USD 0.30/task + 0.00035/shot``."""
    if pricing is None:
        return "free"
    terms = [
        f"{_amount(getattr(pricing, field))}/{unit}"
        for field, unit in _PRICE_UNITS
        if Decimal(getattr(pricing, field))
    ]
    text = " + ".join(terms)
    if Decimal(pricing.minimum):
        text += f", at least {_amount(pricing.minimum)}" if text else f"{_amount(pricing.minimum)}/task"
    return f"{pricing.currency} {text}" if text else "free"


def backend_price(spec: BackendSpec) -> Text:
    """What a backend is reckoned with; a price that its manifest does not say is followed by its origin."""
    found = price_of(spec)
    if found.pricing is None and spec.driver in priced_drivers():
        return Text("not known", style="yellow")
    text = Text(price(found.pricing))
    return text.append(f"\n{found.origin}", style="dim") if found.origin else text


def price_notes(specs: Mapping[str, BackendSpec]) -> Iterator[str]:
    """What people should know of the prices that backends are reckoned with, a line each.

    Args:
        specs: The backends, by name.
    """
    prices = {name: price_of(spec) for name, spec in specs.items()}
    dates = sorted({f"{each.preset.as_of}" for each in prices.values() if each.preset is not None})
    if dates:
        count = sum(each.preset is not None for each in prices.values())
        days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        yield f"{words.count(count, 'price')} by presets of {days}; 'qsched backends' says which"
    unknown = [
        name
        for name, each in prices.items()
        if each.pricing is None and specs[name].driver in priced_drivers()
    ]
    if unknown:
        yield f"no price is known of {words.listed(unknown)}, whose tasks cost something; write spec.pricing"


def preset_table(presets: Sequence[tuple[str, PricePreset]]) -> Table:
    """A line for each preset of a driver: its price, its date, and below it which devices it is for."""
    table = grid(header=True)
    table.add_column("driver", no_wrap=True)
    table.add_column("preset", overflow="fold")
    table.add_column("price", overflow="fold")
    table.add_column("as of", no_wrap=True)
    for driver, preset in presets:
        used = " ".join(preset.devices) if preset.devices else "to be copied into a manifest"
        date = Text(f"{preset.as_of:%Y-%m-%d}")
        remarks = [*(["retired"] * preset.retired), *(["second hand"] * bool(preset.second_hand))]
        for remark in remarks:
            date.append(f"\n{remark}", style="dim")
        table.add_row(
            driver,
            Text.assemble((preset.name, "bold"), (f"\n{used}", "dim")),
            price(preset.pricing),
            date,
        )
    return table


def age_table(presets: Sequence[tuple[str, PricePreset]], today: dt.date) -> Table:
    """A line for each preset of a driver: how old its price is, and where to look it up."""
    table = grid(header=True)
    table.add_column("", no_wrap=True)
    table.add_column("driver", no_wrap=True)
    table.add_column("preset", overflow="fold")
    table.add_column("age", justify="right", no_wrap=True)
    table.add_column("where to look it up", overflow="fold")
    for driver, preset in presets:
        mark, style = ("✗", "bold red") if is_old(preset, today) else ("✓", "green")
        age = "retired" if preset.retired else words.count(preset.age_days(today), "day")
        source = Text(preset.source)
        if preset.second_hand:
            source.append(f" ({preset.second_hand})", style="dim")
        table.add_row(Text(mark, style=style), driver, preset.name, age, source)
    return table


def is_old(preset: PricePreset, today: dt.date) -> bool:
    """Whether a price should be looked up again."""
    return preset.age_days(today) > OLD_AFTER_DAYS


def _amount(text: str) -> str:
    value = Decimal(text)
    return f"{value:.2f}" if value == value.quantize(Decimal("0.01")) else f"{value.normalize():f}"

"""``python -m benchmarks.truth``: make the table that ships again, after what it depends on has changed."""

from __future__ import annotations

from benchmarks.truth.ageing import age_cases
from benchmarks.truth.pairs import study_cases
from benchmarks.truth.table import FILE, pairs_of, write_table


def main() -> None:
    """Make every pair that the cache does not have yet, and write the table."""
    table = [pair for cases in (study_cases(), age_cases()) for row in pairs_of(cases, {}) for pair in row]
    write_table(table)
    print(f"{len(table)} pairs, {FILE.stat().st_size / 1e3:.0f} kB, written to {FILE}")


if __name__ == "__main__":
    main()

from __future__ import annotations

from benchmarks.cache import cached


def test_a_costly_step_is_made_once_for_each_key(tmp_path):
    made: list[str] = []

    def make(name: str) -> list[float]:
        made.append(name)
        return [0.5, 1.5]

    keys = ({"circuit": "ghz", "seed": 1}, {"seed": 1, "circuit": "ghz"}, {"circuit": "ghz", "seed": 2})
    for key in keys:
        assert cached("truth", key, lambda: make("truth"), list[float], tmp_path) == [0.5, 1.5]
    assert cached("other", keys[0], lambda: make("other"), list[float], tmp_path) == [0.5, 1.5]
    assert made == ["truth", "truth", "other"]


def test_what_a_crash_cut_off_is_made_again(tmp_path):
    assert cached("truth", 1, lambda: [1], list[int], tmp_path) == [1]
    (path,) = (tmp_path / "truth").glob("*.json")
    path.write_bytes(path.read_bytes()[:-1])
    assert cached("truth", 1, lambda: [2], list[int], tmp_path) == [2]
    assert cached("truth", 1, lambda: [3], list[int], tmp_path) == [2]

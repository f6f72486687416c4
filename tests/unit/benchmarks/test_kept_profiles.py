from __future__ import annotations

from functools import partial

from benchmarks.cache import cached
from benchmarks.scenarios import profiles
from benchmarks.scenarios.profiles import kept_profiles
from qsched.circuits.profile import Profile


def _profile(n2: int) -> Profile:
    figures = dict.fromkeys(Profile.__struct_fields__, 0)
    return Profile(**{**figures, "hash": "x", "n2": n2, "dynamic": False, "line": False})


def test_profiles_are_made_anew_when_the_code_that_makes_them_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(profiles, "cached", partial(cached, folder=tmp_path))
    assert kept_profiles("some", {"seed": 1}, lambda: [_profile(1)])[0].n2 == 1
    assert kept_profiles("some", {"seed": 1}, lambda: [_profile(2)])[0].n2 == 1
    monkeypatch.setattr(profiles, "_makers", lambda: ["other code"])
    assert kept_profiles("some", {"seed": 1}, lambda: [_profile(2)])[0].n2 == 2

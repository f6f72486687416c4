from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsched.drivers import Rejected
from qsched_braket.tags import Part, read_tags, write_tags

parts = st.builds(
    Part,
    token=st.text("0123456789abcdef", min_size=1, max_size=32),
    number=st.integers(0, 99),
    digest=st.text("0123456789abcdef", min_size=1, max_size=64),
    measured=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=300).map(tuple),
    registers=st.lists(st.integers(0, 300), max_size=100).map(tuple),
    others=st.lists(st.uuids().map(str), max_size=60).map(tuple),
)


@given(parts)
def test_what_is_written_is_read(part: Part):
    assert read_tags(write_tags(part, {})) == part


@given(parts, st.dictionaries(st.text(min_size=1, max_size=200), st.text(max_size=400), max_size=5))
def test_tags_are_what_aws_takes(part: Part, extra: dict[str, str]):
    tags = write_tags(part, extra)
    assert len(tags) <= 50
    assert all(0 < len(name) <= 128 and len(value) <= 256 for name, value in tags.items())
    assert all(
        all(each.isalnum() or each in " _.:/=+-@" or each.isspace() for each in value)
        for value in tags.values()
    )


def test_too_much_for_tags_is_refused():
    others = tuple(str(uuid.UUID(int=number)) for number in range(400))
    with pytest.raises(Rejected, match="split the job"):
        write_tags(Part("token", 0, "digest", ((0, 0),), (1,), others), {})


def test_tags_for_people_do_not_overwrite_ours():
    part = Part("token", 0, "digest", ((0, 0),), (1,))
    assert read_tags(write_tags(part, {"qsched-token": "mine", "team": "q&a"})) == part
    assert write_tags(part, {"team": "q&a"})["team"] == "q_a"


def test_tags_for_people_get_the_room_that_is_left():
    part = Part("token", 0, "digest", ((0, 0),), (1,))
    tags = write_tags(part, {f"key-{number}": "line\nbreak" for number in range(60)})
    assert len(tags) == 50
    assert read_tags(tags) == part
    assert tags["key-0"] == "line_break"


@pytest.mark.parametrize(
    "tags", [{}, {"team": "q"}, {"qsched-token": "t", "qsched-part": "x", "qsched-hash": "h"}]
)
def test_tags_of_others_are_not_ours(tags: dict[str, str]):
    assert read_tags(tags) is None

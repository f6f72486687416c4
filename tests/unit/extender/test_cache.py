"""Whatever changes in whatever order, the cache says what the rules say of the present objects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qsched_extender.cache import BACKENDS, JOBS, NODES, Cache
from qsched_extender.reach import SERVES, Reach, Site, Traits, reach

PLACES = st.sampled_from(["", "a", "b"])
BACKEND_NAMES = st.sampled_from(["heron", "eagle"])
SOME_BACKENDS = st.frozensets(BACKEND_NAMES, max_size=2)
NODE_CHANGES = st.tuples(
    st.sampled_from(["n1", "n2", "n3"]),
    st.none()
    | st.builds(Traits, PLACES, PLACES, st.sampled_from(["", "none"]), SOME_BACKENDS, SOME_BACKENDS),
)
BACKEND_CHANGES = st.tuples(BACKEND_NAMES, st.none() | st.tuples(st.none() | PLACES, st.none() | PLACES))


@given(st.lists(NODE_CHANGES | BACKEND_CHANGES, max_size=30))
def test_any_order_of_changes(
    changes: list[tuple[str, Traits | tuple[str | None, str | None] | None]],
) -> None:
    cache = Cache()
    nodes: dict[str, Traits] = {}
    sites: dict[str, Site] = {}
    for name, what in changes:
        if isinstance(what, Traits):
            cache.put_node(name, what)
            nodes[name] = what
        elif what is not None:
            sites[name] = Site(name, *what)
            cache.put_backend(sites[name])
        elif name.startswith("n"):
            cache.drop_node(name)
            nodes.pop(name, None)
        else:
            cache.drop_backend(name)
            sites.pop(name, None)

    assert cache.sizes() == {NODES: len(nodes), BACKENDS: len(sites), JOBS: 0}
    for name in ("heron", "eagle"):
        outlook = cache.outlook(name)
        assert (outlook is None) == (name not in sites)
        if outlook is None:
            continue
        found = {each: outlook.table[kind] for each, kind in cache.kinds.items()}
        assert found == {each: reach(traits, sites[name]) for each, traits in nodes.items()}
        assert cache.best(outlook) == min(found.values(), default=SERVES)


def test_a_node_that_is_gone_leaves_no_trace() -> None:
    cache = Cache()
    cache.put_backend(Site("heron"))
    cache.put_node("n1", Traits(attached=frozenset({"heron"})))
    outlook = cache.outlook("heron")
    assert outlook is not None
    outlook.favoured["n1"] = 1
    cache.drop_node("n1")
    assert (outlook.favoured, cache.best(outlook)) == ({}, SERVES)


def test_a_backend_that_did_not_move_keeps_whose_turn_it_is() -> None:
    cache = Cache()
    cache.put_backend(Site("heron", "a"))
    before = cache.outlook("heron")
    cache.put_backend(Site("heron", "a"))
    assert cache.outlook("heron") is before
    cache.put_node("n", Traits(zone="b"))
    cache.put_backend(Site("heron", "b"))
    moved = cache.outlook("heron")
    assert moved is not None
    assert moved.table[cache.kinds["n"]] is Reach.ZONE

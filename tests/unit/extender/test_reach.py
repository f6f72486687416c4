"""Which nodes serve a backend, and how well."""

from __future__ import annotations

from typing import Any

import pytest

from qsched_extender.reach import Reach, reach, site_of, traits_of
from tests.unit.extender.builders import backend, node


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"attached": "heron"}, Reach.ATTACHED),
        ({"attached": "heron", "network": "none"}, Reach.ATTACHED),
        ({"attached": "eagle"}, Reach.FAR),
        ({"zone": "eu-1a", "region": "eu-1"}, Reach.ZONE),
        ({"zone": "eu-1b", "region": "eu-1"}, Reach.REGION),
        ({"zone": "us-1a", "region": "us-1", "network": "low-latency"}, Reach.NEAR),
        ({"zone": "us-1a", "region": "us-1", "network": "standard"}, Reach.FAR),
        ({"network": "a-class-of-theirs"}, Reach.FAR),
        ({}, Reach.FAR),
        ({"zone": "eu-1a", "network": "none"}, Reach.OFFLINE),
        ({"zone": "eu-1a", "dedicated": "eagle"}, Reach.DEDICATED),
        ({"zone": "eu-1a", "dedicated": "eagle", "effect": "NoExecute"}, Reach.DEDICATED),
        ({"zone": "eu-1a", "dedicated": "eagle", "effect": "PreferNoSchedule"}, Reach.ZONE),
        ({"zone": "eu-1a", "dedicated": "heron"}, Reach.ZONE),
        ({"attached": "heron", "dedicated": "eagle"}, Reach.DEDICATED),
    ],
)
def test_the_reach_of_a_node(labels: dict[str, Any], expected: Reach) -> None:
    site = site_of(backend(zone="eu-1a", region="eu-1"))
    assert reach(traits_of(node(**labels)), site) is expected


@pytest.mark.parametrize(
    ("manifest", "near"),
    [
        (backend(location="eu-1a"), {"eu-1a": Reach.ZONE, "eu-1b": Reach.FAR}),
        (backend(location="eu-1"), {"eu-1a": Reach.REGION, "eu-1b": Reach.REGION}),
        (backend(location="Yorktown Heights, NY"), {"eu-1a": Reach.FAR, "eu-1b": Reach.FAR}),
        (backend(location="eu-1", zone="eu-1b"), {"eu-1a": Reach.REGION, "eu-1b": Reach.ZONE}),
        (backend(location="eu-1a", region="eu-1"), {"eu-1a": Reach.ZONE, "eu-1b": Reach.REGION}),
        (backend(), {"eu-1a": Reach.FAR, "eu-1b": Reach.FAR}),
    ],
)
def test_where_a_backend_says_that_it_stands(manifest: Any, near: dict[str, Reach]) -> None:
    site = site_of(manifest)
    found = {zone: reach(traits_of(node(zone=zone, region="eu-1")), site) for zone in near}
    assert found == near


def test_a_node_without_labels_is_not_in_the_place_of_a_backend_without_one() -> None:
    assert reach(traits_of(node()), site_of(backend(location=""))) is Reach.FAR

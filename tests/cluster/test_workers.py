"""`newsletter worker`: one machine plans, others deliver, and whatever befalls them everybody's letter leaves once."""

from __future__ import annotations

import pytest
from hosts import Cluster

pytestmark = pytest.mark.postgres


def test_one_plans_and_another_delivers(cluster: Cluster) -> None:
    cluster.readers(60)
    said = cluster.plan(batch=20)
    assert "3 batches for the workers" in said and "none is running" in said
    assert cluster.states() == {"planned": 60}
    worker = cluster.worker()
    cluster.settled()
    assert worker.stop() == 0
    assert cluster.states() == {"accepted": 60}
    assert cluster.balanced(60) == {1: 60}

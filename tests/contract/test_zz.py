import pytest
@pytest.mark.parametrize("n", range(10))
def test_a(store, n):
    assert store.audience.counts()

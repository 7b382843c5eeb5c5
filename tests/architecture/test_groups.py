"""What tests share by a group is theirs alone: xdist gives the whole group to one process."""

import pytest


@pytest.mark.xdist_group("watched")
def test_a_group_is_known_to_who_gives_out_tests(request: pytest.FixtureRequest) -> None:
    # xdist has no other mark of it; without, tests of one stack would run on three processes at once.
    grouped = getattr(request.config.option, "loadgroup", False)
    assert request.node.nodeid.endswith("@watched") == bool(grouped)

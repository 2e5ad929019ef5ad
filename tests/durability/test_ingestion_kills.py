"""Ingestions whose worker or server is killed at random: the store is that of one that nobody disturbed."""

from __future__ import annotations

import pytest

from rocamadre.testing.knowledge_kills import Victim

KILLS = 10


@pytest.mark.timeout(300)
def test_the_store_is_that_of_an_undisturbed_run(tmp_path):
    victim = Victim(tmp_path, seed=7, documents=50)
    try:
        rounds = 0
        while victim.kills.count < KILLS:
            rounds += 1
            assert rounds < 3 * KILLS
            expected = victim.change()
            job = victim.ingest_under_kills(min(3, KILLS - victim.kills.count))
            assert job["status"] == "COMPLETE", job
            assert {name: job["statistics"][name] for name in expected} == expected
        killed = victim.rows(victim.base, victim.source)
        undisturbed = victim.rows(*victim.ingest_undisturbed())
        assert sorted(killed) == sorted(undisturbed)
        for name, row in killed.items():
            assert row == undisturbed[name], name
        assert not list(tmp_path.glob("runs/kb-*"))
        assert victim.kills.workers
        assert victim.kills.servers
    finally:
        victim.stop()

"""`newsletter worker`: one machine plans, others deliver, and whatever befalls them everybody's letter leaves once."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from hosts import Cluster
from sink import HANG, Play

from newsletter.store.workers import SESSION, SWEEPING

pytestmark = pytest.mark.postgres
HOUR = timedelta(hours=1)
_TICKETS = "newsletter_queue.procrastinate_jobs"


def test_one_plans_and_another_delivers(cluster: Cluster) -> None:
    cluster.readers(60)
    said = cluster.plan(batch=20)
    assert "3 batches for the workers" in said and "none is running" in said
    assert cluster.states() == {"planned": 60}
    worker = cluster.worker()
    cluster.settled()
    assert worker.stop() == 0
    assert cluster.balanced(60) == {1: 60}


def test_what_a_killed_worker_had_goes_on_elsewhere_within_seconds(cluster: Cluster) -> None:
    cluster.smtp = "connections = 1\nwindow = 5"
    cluster.readers(60)
    cluster.plan(batch=60)
    cluster.sink.play(Play(acts={"dot": [None] * 10 + [HANG]}))
    killed = cluster.worker()
    cluster.handed_over(5)
    killed.kill()
    cluster.sink.play(Play())  # it may have come to an end before it was kept waiting
    began = time.monotonic()
    cluster.worker()
    cluster.until("SELECT COUNT(*) = 0 FROM delivery WHERE state IN ('planned', 'claimed', 'submitting')")
    assert time.monotonic() - began < 15
    states = cluster.states()
    assert states["accepted"] + states.get("uncertain", 0) == 60 and states.get("uncertain", 0) <= 6
    cluster.doubt_is_over()
    cluster.settled()
    assert set(cluster.balanced(60)) <= {1, 2}


def test_what_a_frozen_worker_had_goes_on_and_its_late_words_double_nothing(cluster: Cluster) -> None:
    cluster.readers(400)
    cluster.plan(batch=100)
    frozen = cluster.worker()
    cluster.handed_over(1)
    frozen.freeze()
    cluster.worker()
    cluster.until("SELECT COUNT(*) = 0 FROM delivery WHERE state IN ('planned', 'claimed', 'submitting')")
    frozen.thaw()
    time.sleep(2)  # it records what it knows
    cluster.doubt_is_over()
    cluster.settled()
    got = cluster.balanced(400)
    assert got[1] + got[2] == 400 and got[2] <= 50
    assert frozen.stop() == 0


def test_a_worker_that_freezes_in_a_transaction_holds_up_neither_a_run_nor_the_others(cluster: Cluster) -> None:
    cluster.readers(20)
    frozen = cluster.worker()
    cluster.until("SELECT COUNT(*) = 1 FROM worker")
    stuck = "SELECT COUNT(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
    for _ in range(5_000):  # stopped and looked at, until it has a lock
        frozen.freeze()
        if cluster.ask(stuck)[0][0]:
            break
        frozen.thaw()
        time.sleep(0.003)
    else:
        pytest.skip("it was never caught with a lock")
    cluster.worker()
    cluster.plan(batch=10)
    cluster.settled()
    assert cluster.balanced(20) == {1: 20}


def test_a_worker_that_freezes_in_a_statement_holds_up_nobody(cluster: Cluster) -> None:
    """The first half of it was on its way: PostgreSQL waits for the other, and no time limit of its own applies."""
    cluster.readers(20)
    cluster.plan(batch=10)
    with closing(psycopg.connect(cluster.url(), application_name=SESSION)) as frozen:
        frozen.execute(f"SELECT pg_advisory_xact_lock({SWEEPING})")
        frozen.execute("SELECT 1 FROM delivery ORDER BY id LIMIT 5 FOR UPDATE")
        parse = b"\0SELECT 1\0\0\0"
        os.write(frozen.pgconn.socket, b"P" + (len(parse) + 4).to_bytes(4, "big") + parse)
        worker = cluster.worker()
        cluster.settled()
    assert worker.stop() == 0
    assert cluster.balanced(20) == {1: 20}


def test_a_worker_ends_although_its_mail_server_never_answers(cluster: Cluster) -> None:
    """By a second signal here; half a minute after the first comes to the same."""
    cluster.smtp = "connections = 1\nwindow = 5"
    cluster.readers(60)
    cluster.plan(batch=60)
    cluster.sink.play(Play(acts={"dot": [None] * 10 + [HANG]}))
    worker = cluster.worker()
    cluster.handed_over(5)
    worker.process.terminate()
    time.sleep(0.5)
    assert worker.stop() == 1
    assert "is in doubt" in worker.said.read_text()


def test_a_worker_that_is_told_to_stop_finishes_what_is_under_way_and_leaves_the_rest(cluster: Cluster) -> None:
    cluster.delivery = 'rate = "100/second"'
    cluster.readers(500)
    cluster.plan(batch=500)
    worker = cluster.worker()
    cluster.handed_over(20)
    assert worker.stop() == 0
    states = cluster.states()
    assert set(states) == {"accepted", "planned"} and sum(states.values()) == 500
    assert cluster.ask("SELECT COUNT(*) FROM worker") == [(0,)]
    cluster.settings(delivery="")
    cluster.worker()
    cluster.settled()
    assert cluster.balanced(500) == {1: 500}


@pytest.mark.parametrize(
    "befall",
    [
        pytest.param([f"DELETE FROM {_TICKETS}"], id="all tickets are lost"),
        pytest.param(
            [
                f"INSERT INTO {_TICKETS} (queue_name, task_name, args, status)"
                f" SELECT queue_name, task_name, args, 'todo' FROM {_TICKETS}, generate_series(1, 9)"
            ],
            id="tickets come ten times",
        ),
        pytest.param([f"UPDATE {_TICKETS} SET priority = (random() * 100)::int"], id="tickets come out of turn"),
        pytest.param([f"""UPDATE {_TICKETS} SET args = '{{"size": 1}}'"""], id="tickets are worth less than they say"),
        pytest.param(["DROP SCHEMA newsletter_queue CASCADE"], id="the queue is gone"),
    ],
)
def test_what_befalls_the_queue_changes_nothing(cluster: Cluster, befall: list[str]) -> None:
    cluster.readers(60)
    cluster.plan(batch=10)
    for statement in befall:
        cluster.ask(f"SET search_path TO newsletter_queue, public; {statement}")
    cluster.worker()
    cluster.worker()
    cluster.settled()
    assert cluster.balanced(60) == {1: 60}


def test_two_runs_at_once_plan_once(cluster: Cluster) -> None:
    cluster.readers(300)
    other = cluster.root.with_name("other")
    shutil.copytree(cluster.root, other)
    words = [[*cluster.command("send")], [*cluster.command("send", root=other)]]
    both = [subprocess.Popen(w, env=cluster.environment({}), stdout=subprocess.DEVNULL) for w in words]
    assert [process.wait() for process in both] == [0, 0]
    assert cluster.states() == {"planned": 300}
    assert cluster.ask(f"SELECT COUNT(*) FROM {_TICKETS}") == [(1,)]
    cluster.worker()
    cluster.settled()
    assert cluster.balanced(300) == {1: 300}


@pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])
def test_the_clock_of_the_database_decides(cluster: Cluster, off: timedelta) -> None:
    cluster.readers(60)
    cluster.plan(batch=20, **cluster.clock(off))
    killed = cluster.worker(**cluster.clock(off))
    cluster.handed_over(1)
    killed.kill()
    cluster.worker(**cluster.clock(-off))
    cluster.until("SELECT COUNT(*) = 0 FROM delivery WHERE state IN ('planned', 'claimed', 'submitting')")
    cluster.doubt_is_over()
    cluster.settled()
    stray = (
        "SELECT COUNT(*) FROM delivery WHERE abs(accepted_at / 1e6 - extract(epoch FROM now())) > 300"
        " OR abs(planned_at / 1e6 - extract(epoch FROM now())) > 300"
    )
    assert cluster.ask(stray) == [(0,)]
    assert set(cluster.balanced(60)) <= {1, 2}


def test_a_rate_is_shared_by_all_workers(cluster: Cluster) -> None:
    cluster.delivery = 'rate = "20/second"'
    cluster.readers(120)
    cluster.plan(batch=10)
    for _ in range(3):
        cluster.worker()
    cluster.settled()
    first, last = cluster.ask("SELECT MIN(accepted_at), MAX(accepted_at) FROM delivery")[0]
    assert (last - first) / 1e6 > 4.5  # a hundred and twenty letters take six seconds, less what the bucket holds
    assert cluster.balanced(120) == {1: 120}


def test_warming_up_and_a_storm_of_refusals_are_of_all_workers(cluster: Cluster) -> None:
    cluster.delivery = 'warm_up = "25 a day"'  # a day later: twice as many
    cluster.smtp = "connections = 1\nwindow = 5"
    cluster.readers(80)
    cluster.plan(batch=5)
    workers = [cluster.worker() for _ in range(3)]
    cluster.handed_over(50)
    time.sleep(2)  # whoever believed that the allowance was its own would go on
    assert cluster.states() == {"accepted": 50, "planned": 30}
    cluster.sink.play(Play(acts={"dot": ["554 5.7.1 looks like spam"] * 80}))
    cluster.settings(delivery="")
    cluster.plan(batch=5)
    cluster.until("SELECT COUNT(*) > 0 FROM meta WHERE key = 'holds' AND position('refused' IN value) > 0")
    cluster.until("SELECT COUNT(*) = 0 FROM delivery WHERE state IN ('claimed', 'submitting')")
    tried = "SELECT COUNT(*) FROM attempt WHERE outcome IS DISTINCT FROM 'accepted'"
    before = cluster.ask(tried)
    time.sleep(2)
    assert cluster.ask(tried) == before
    assert cluster.states() == {"accepted": 50, "planned": 30}  # nobody was marked
    cluster.sink.play(Play())
    assert cluster.run("resume", "--yes").returncode == 0
    cluster.settled()
    assert [worker.stop() for worker in workers] == [0, 0, 0]
    assert cluster.balanced(80) == {1: 80}


def test_a_worker_of_another_version_refuses_politely(cluster: Cluster) -> None:
    cluster.readers(20)
    running = cluster.worker()
    cluster.until("SELECT COUNT(*) = 1 FROM worker")
    [(ours,)] = cluster.ask("SELECT version_num FROM alembic_version")
    cluster.ask("UPDATE alembic_version SET version_num = '9999'")
    assert running.process.wait() == 1
    assert "newer version" in running.said.read_text() and "Upgrade it" in running.said.read_text()
    refused = cluster.run("worker")
    assert refused.returncode == 2 and "schema 9999" in refused.stderr
    cluster.ask("UPDATE alembic_version SET version_num = '0001'")
    refused = cluster.run("worker")
    assert refused.returncode == 1 and "run `newsletter send` there" in refused.stderr
    assert cluster.ask("SELECT version_num FROM alembic_version") == [("0001",)]  # a worker never migrates
    cluster.ask("UPDATE alembic_version SET version_num = %s", [ours])
    running = cluster.worker()
    cluster.until("SELECT COUNT(*) > 0 FROM worker")
    cluster.ask("UPDATE alembic_version SET version_num = 'moved'")  # as `newsletter move` does
    assert running.process.wait() == 1 and "the ledger was moved" in running.said.read_text()
    cluster.ask("UPDATE alembic_version SET version_num = %s", [ours])


def test_status_tells_how_far_the_workers_are(cluster: Cluster) -> None:
    cluster.readers(60)
    cluster.plan(batch=20)
    waiting = cluster.json("status")["workers"]
    assert (waiting["alive"], waiting["due"], waiting["queue"]) == ([], 60, 3)
    assert waiting["oldest_due"] is not None
    assert "none is running" in cluster.run("status").stdout + cluster.run("status").stderr
    cluster.worker()
    cluster.settled()
    cluster.until("SELECT SUM(done) = 60 FROM worker")
    done = cluster.json("status")["workers"]
    assert (len(done["alive"]), done["due"], done["queue"], done["oldest_due"]) == (1, 0, 0, None)
    assert done["rate"] == 60
    assert "1 worker" in cluster.run("status").stdout


def test_a_trouble_is_told_as_long_as_it_lasts(cluster: Cluster) -> None:
    cluster.readers(1)
    cluster.run("status")
    worker = cluster.worker()  # before anything was planned: it makes the queue's tables itself
    cluster.until("SELECT to_regclass('newsletter_queue.procrastinate_jobs') IS NOT NULL")
    assert "does not answer" not in worker.said.read_text()
    [(made_for,)] = cluster.ask("SELECT obj_description('newsletter_queue'::regnamespace)")
    cluster.ask("ALTER SCHEMA newsletter_queue RENAME TO away; CREATE SCHEMA newsletter_queue")
    # A sweep would make them anew, before anybody misses them, did they not seem to be there.
    cluster.ask(f"COMMENT ON SCHEMA newsletter_queue IS '{made_for}'")
    cluster.until("SELECT trouble LIKE '%%the queue does not answer (%%); this worker tries again.%%' FROM worker")
    cluster.ask("DROP SCHEMA newsletter_queue; ALTER SCHEMA away RENAME TO newsletter_queue")
    cluster.until("SELECT trouble = '' FROM worker")


def test_workers_need_their_setting_their_database_and_the_key(cluster: Cluster) -> None:
    cluster.readers(1)
    cluster.settings(workers="false")
    refused = cluster.run("worker")
    assert refused.returncode == 2 and "write `workers = true` first" in refused.stderr
    cluster.settings(workers="true")
    refused = cluster.run("worker", NEWSLETTER_STORE_URL="sqlite:///letters.db")
    assert refused.returncode == 2 and "newsletter move" in refused.stderr
    (cluster.root / "secret.key").unlink()
    refused = cluster.run("worker")
    assert refused.returncode == 2 and "must be the same everywhere" in refused.stderr

"""The table of runs."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from rocamadre.store.sql.database import METADATA

RUNS = Table(
    "job_runs",
    METADATA,
    Column("run_id", String(1024), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("arguments", Text, nullable=False, comment="JSON."),
    Column("state", String(16), nullable=False, comment="See `jobs.runner.State`."),
    Column("reason", Text, nullable=False),
    Column("stop_requested", Boolean, nullable=False),
    Column("handed_over", Boolean, nullable=False, comment="The durable engine knows of it."),
    Column("version", Integer, nullable=False, comment="JOBS_VERSION of the program that began it."),
    Column("tries", Integer, nullable=False, comment="Starts of the present step that came to no end."),
    Column("created_at", String(40), nullable=False),
    Column("ended_at", String(40), nullable=False),
    Index("job_runs_open", "state", "handed_over"),
)

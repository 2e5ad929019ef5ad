from __future__ import annotations

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

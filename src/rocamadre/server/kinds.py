"""The kinds of jobs that the worker can do."""

from __future__ import annotations

from rocamadre.core.registry import Registry
from rocamadre.jobs.runner import JobKind

JOB_KINDS: Registry[JobKind] = Registry(
    "job",
    {
        "anthropic-batch": "rocamadre.batch.anthropic.jobs:KIND",
        "async-invoke": "rocamadre.async_invokes.jobs:KIND",
        "batch-inference": "rocamadre.batch.jobs:KIND",
        "customization": "rocamadre.customization.jobs:KIND",
        "kb-ingestion": "rocamadre.knowledge.ingestion.jobs:KIND",
        "lambda-event": "rocamadre.neighbours.lambdas.jobs:KIND",
        "model-copy": "rocamadre.customization.copies:KIND",
        "model-deployment": "rocamadre.customization.deployments:KIND",
        "model-import": "rocamadre.customization.import_jobs:JOB",
        "model-pull": "rocamadre.catalog.pulls:KIND",
        "openai-batch": "rocamadre.batch.openai.jobs:KIND",
        "provisioned-model": "rocamadre.customization.throughput:KIND",
    },
)

"""What a job was expected to take, written down before it trains, and put beside what it took."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from rocamadre.catalog.types import Model
from rocamadre.core.errors import RocamadreError
from rocamadre.customization.types import Job
from rocamadre.datasets import canonical
from rocamadre.jobs.rundir import RunDir
from rocamadre.jobs.runner import JobPlatform
from rocamadre.training.preflight.estimate import compare
from rocamadre.training.preflight.prospect import look_ahead
from rocamadre.training.settings import TrainingSettings

logger = logging.getLogger(__name__)


def foresee(platform: JobPlatform, job: Job, base: Model, folder: RunDir) -> dict[str, Any]:
    """The preflight of a job whose data lies in canonical form; empty where there can be none.

    Nothing is measured: time is foreseen where this machine's speed is known from a dry run.
    """
    files = sorted(folder.work.glob("validation-*.jsonl"))
    try:
        assert base.path is not None
        found = look_ahead(
            platform.settings.home,
            base.path,
            TrainingSettings.model_validate(job.settings),
            canonical.read(folder.work / "train.jsonl"),
            validation=(example for file in files for example in canonical.read(file)) if files else None,
            aws_model_id=job.base_id,
        )
    except RocamadreError as error:
        # The trainer will say what is wrong, in its own words; a guess must not end a job.
        logger.info("job.not_foreseen", extra={"run": job.arn, "kind": type(error).__name__})
        return {}
    return found.as_json()


def beside(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Predictions of a job beside what happened, from its facts; empty while it is not over.

    Args:
        facts: With `preflight` as `foresee` made it, and `steps`, `trained_tokens`, `seconds`, `peak_memory_bytes` and
            `trainable` as the trainer told them.
    """
    if not facts.get("preflight") or "seconds" not in facts:
        return []
    happened = {**facts, "tokens": facts.get("trained_tokens")}
    return [each._asdict() for each in compare(facts["preflight"], happened)]

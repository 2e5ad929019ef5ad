"""The files that a job leaves at its output URI, at the paths and with the columns of Amazon Bedrock.

```
<output>/model-customization-job-<id>/
  training_artifacts/step_wise_training_metrics.csv          step_number,epoch_number,training_loss,perplexity
  validation_artifacts/post_fine_tuning_validation/
    validation_metrics.csv                                   step_number,epoch_number,validation_loss,perplexity
    validation/validation_metrics.csv                        the same: the guide says one, code reads the other
```

Steps and epochs count from 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rocamadre.customization.types import Job
from rocamadre.store.objects.protocol import ObjectStore, parse_uri
from rocamadre.training.progress import curves

TRAINING = "training_artifacts/step_wise_training_metrics.csv"
VALIDATION = (
    "validation_artifacts/post_fine_tuning_validation/validation_metrics.csv",
    "validation_artifacts/post_fine_tuning_validation/validation/validation_metrics.csv",
)
_LARGEST_EXPONENT = 700.0


def metrics_files(events: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """The files by path below the job's folder; validation's only where there was one."""
    steps, validations = curves(events)
    epochs = {event["step"]: event["epoch"] for event in steps}
    files = {TRAINING: _table("training_loss", steps, epochs)}
    # What was measured before the first step is the base's.
    trained = [event for event in validations if event["step"] > 0]
    if trained:
        files |= dict.fromkeys(VALIDATION, _table("validation_loss", trained, epochs))
    return files


def folder_key(job: Job) -> tuple[str, str]:
    """Bucket and key prefix of the job's folder."""
    bucket, prefix = parse_uri(job.output_uri)
    return bucket, f"{prefix.rstrip('/')}/model-customization-job-{job.id}/".lstrip("/")


def put_outputs(store: ObjectStore, job: Job, files: Mapping[str, bytes]) -> None:
    """Write the files; a repeat writes the same.

    Raises:
        NotFound: the bucket is gone.
    """
    if not job.output_uri:
        return
    bucket, prefix = folder_key(job)
    for path, content in files.items():
        kind = "text/csv" if path.endswith(".csv") else "application/json"
        store.put(bucket, prefix + path, content, content_type=kind)


def _table(column: str, events: Iterable[Mapping[str, Any]], epochs: Mapping[int, float]) -> bytes:
    lines = [f"step_number,epoch_number,{column},perplexity"]
    for event in events:
        loss = math.nan if event["loss"] is None else float(event["loss"])
        perplexity = math.exp(min(loss, _LARGEST_EXPONENT))
        step = int(event["step"])
        lines.append(f"{step - 1},{epoch_number(epochs.get(step, 0.0))},{loss:.6f},{perplexity:.6f}")
    return ("\n".join(lines) + "\n").encode()


def epoch_number(done: float) -> int:
    """In which pass over the data a step was, from 0.

    Args:
        done: Passes done after it, as a decimal number.

    >>> epoch_number(0.25), epoch_number(1.0), epoch_number(1.1)
    (0, 0, 1)
    """
    return max(0, math.ceil(done - 1e-9) - 1)

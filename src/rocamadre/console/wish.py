"""A training that somebody wishes for: what is asked of the API, and the program that asks it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

TYPES = ("FINE_TUNING", "CONTINUED_PRE_TRAINING")
ROLE = "arn:aws:iam::123456789012:role/console"
BUCKET = "rocamadre-data"
DATA_PREFIX = "datasets/"
DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")

_OUTSIDE_KEY = re.compile(r"[^A-Za-z0-9._-]+")
_OUTSIDE_NAME = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """What was filled in so far.

    Attributes:
        base: Id of a model.
        type: Of `TYPES`.
        training: `s3://…`.
        validation: `s3://…`; empty for none.
        method: A method's name.
        settings: Hyperparameters that were changed, as text.
        name: Of the job, and of the model that it makes.
    """

    base: str = ""
    type: str = TYPES[0]
    training: str = ""
    validation: str = ""
    method: str = "lora"
    settings: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def changed(self, **values: Any) -> Wish:
        """With other values."""
        return replace(self, **values)

    def members(self) -> Json:
        """Members of CreateModelCustomizationJob."""
        found: Json = {
            "jobName": self.name,
            "customModelName": self.name,
            "roleArn": ROLE,
            "baseModelIdentifier": self.base,
            "customizationType": self.type,
            "trainingDataConfig": {"s3Uri": self.training},
            "outputDataConfig": {"s3Uri": f"s3://{BUCKET}/output/"},
            "hyperParameters": {"method": self.method, **self.settings},
        }
        if self.validation:
            found["validationDataConfig"] = {"validators": [{"s3Uri": self.validation}]}
        return found

    @property
    def missing(self) -> list[str]:
        """Names of fields that must be filled in yet."""
        return [name for name in ("base", "training", "name") if not getattr(self, name)]


def write_program(wish: Wish, *, address: str, region: str, locked: bool) -> str:
    """The program that starts it, waits for it and asks its model; runs as it is copied."""
    credentials = "" if locked else '        aws_access_key_id="local",\n        aws_secret_access_key="local",\n'
    members = "".join(f"    {name}={_literal(value)},\n" for name, value in wish.members().items())
    return (
        "import time\n\nimport boto3\n\n\n"
        "def client(service):\n"
        "    return boto3.client(\n"
        "        service,\n"
        f"        endpoint_url={_literal(address)},\n"
        f"        region_name={_literal(region)},\n"
        f"{credentials}"
        "    )\n\n\n"
        'bedrock = client("bedrock")\n'
        f'job = bedrock.create_model_customization_job(\n{members})["jobArn"]\n'
        'while (found := bedrock.get_model_customization_job(jobIdentifier=job))["status"] == "InProgress":\n'
        "    time.sleep(2)\n"
        'print(found["status"], found.get("failureMessage", ""))\n'
    )


def _literal(value: Any) -> str:
    """As Python and as JSON alike: these values hold no booleans."""
    return json.dumps(value, ensure_ascii=False)


def data_key(file_name: str) -> str:
    """Where an uploaded file is kept; empty for one that is no data.

    >>> data_key("My rows (2).JSONL"), data_key("x.exe"), data_key("../../a.csv")
    ('datasets/My-rows-2.jsonl', '', 'datasets/a.csv')
    """
    stem, dot, suffix = file_name.replace("\\", "/").rpartition("/")[2].rpartition(".")
    ending = f"{dot}{suffix.lower()}"
    kept = _OUTSIDE_KEY.sub("-", stem).strip("._-")[:100] or "data"
    return f"{DATA_PREFIX}{kept}{ending}" if ending in DATA_SUFFIXES else ""


def suggest_name(base: str, training: str, moment: str) -> str:
    """A job's name from what goes into it.

    >>> suggest_name("rocamadre.roca-mini-v1:0", "s3://b/datasets/bank Rows.jsonl", "1121-1650")
    'roca-mini-bank-rows-1121-1650'
    """
    model = base.rpartition("/")[2].partition(":")[0].rpartition(".")[2].removesuffix("-v1")
    data = training.rpartition("/")[2].partition(".")[0]
    parts = [_OUTSIDE_NAME.sub("-", each.lower()).strip("-") for each in (model, data, moment)]
    return "-".join(part[:24].strip("-") for part in parts if part)


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` URI; empty ones for anything else.

    >>> split_uri("s3://b/a/c.jsonl"), split_uri("/etc/passwd")
    (('b', 'a/c.jsonl'), ('', ''))
    """
    if not uri.startswith("s3://"):
        return "", ""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key

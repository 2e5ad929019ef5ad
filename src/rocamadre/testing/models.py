"""Custom and imported models without the jobs that make them; the fake engine answers for them."""

from __future__ import annotations

from typing import Any

from rocamadre.catalog.host import Host
from rocamadre.catalog.rows import Facts
from rocamadre.catalog.targets import IMPORTED, Target, change_target, insert_target
from rocamadre.core.arn import make_arn
from rocamadre.core.ids import short_id
from rocamadre.customization.model_tables import change_row, insert_row
from rocamadre.customization.model_types import Deployment, ImportedModel
from rocamadre.customization.models import custom_model_arn, register_custom_model

FAKE = "rocamadre.fake-v1:0"


class OwnModels:
    """Makes models of one account.

    Args:
        host: The platform.
        account: Whose they are.
        region: Where.
    """

    def __init__(self, host: Host, *, account: str = "123456789012", region: str = "us-east-1") -> None:
        self._host = host
        self._account = account
        self._region = region

    def custom(self, name: str, *, base_id: str = FAKE, base_arn: str = "", **values: Any) -> str:
        """Register a custom model as its job would; returns its ARN.

        Args:
            name: Of the model.
            base_id: See `register_custom_model`.
            base_arn: The foundation model of `base_id`, unless given.
            values: Of its other arguments.
        """
        arn = custom_model_arn(self._account, self._region, base_id)
        folder = self._host.settings.home / "models" / f"custom-{arn.rpartition('/')[2]}"
        folder.mkdir(parents=True)
        (folder / "model.gguf").write_bytes(b"weights")
        known: dict[str, Any] = {
            "account": self._account,
            "region": self._region,
            "name": name,
            "arn": arn,
            "base_model_id": base_id,
            "base_model_arn": base_arn or make_arn("bedrock", self._region, "", f"foundation-model/{base_id}"),
            "customization_type": "FINE_TUNING",
            "job_arn": "",
            "folder": folder.name,
            "file": "model.gguf",
            "engine": "fake",
            "options": {},
            "size_bytes": 7,
            "parameters": 1,
            "context_length": 4096,
            "facts": {"method": "lora", "metrics": {"loss": 0.5}},
            "created_at": self._host.clock.now(),
        }
        with self._host.sql.begin() as tx:
            register_custom_model(tx, **known | values)
        return arn

    def imported(self, name: str = "") -> str:
        """Put an imported model in place; returns its ARN."""
        model_id = short_id(12)
        arn = make_arn("bedrock", self._region, self._account, f"imported-model/{model_id}")
        name = name or f"imported-{model_id}"
        model = ImportedModel(
            arn=arn,
            account=self._account,
            region=self._region,
            id=model_id,
            name=name,
            job_arn=make_arn("bedrock", self._region, self._account, f"model-import-job/{model_id}"),
            job_name=f"import-{model_id}",
            source_uri="s3://models/somewhere/",
            architecture="LlamaForCausalLM",
            instruct=True,
            folder=f"imported-{model_id}",
            created_at=self._host.clock.now(),
        )
        target = Target(
            arn=arn,
            account=self._account,
            region=self._region,
            kind="imported-model",
            id=model_id,
            name=name,
            state="ready",
            reason="",
            base_id=IMPORTED,
            folder=model.folder,
            facts=Facts(name=name, provider="imported", engine="fake", source="imported"),
        )
        with self._host.sql.begin() as tx:
            insert_row(tx, model)
            insert_target(tx, target)
        return arn

    def finish(self, deployment_arn: str) -> None:
        """Let a deployment be `Active` without its job."""
        with self._host.sql.begin() as tx:
            change_row(tx, Deployment, deployment_arn, status="Active")
            change_target(tx, deployment_arn, state="ready")

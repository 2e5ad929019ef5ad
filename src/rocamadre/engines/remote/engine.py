"""Models that run elsewhere, behind the same interface: any OpenAI-compatible server, and Amazon Bedrock.

`spec.options["protocol"]` says which: `openai` (`openai_wire.py`) or `bedrock` (`bedrock.py`); each explains its other
options. Secrets never stand in the options: the OpenAI wire reads its key from an environment variable that they name,
Bedrock uses the credentials that boto3 finds. Bedrock was tested against a second Rocamadre only, not run on AWS.
"""

from __future__ import annotations

from pathlib import Path

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.protocol import LoadSpec
from rocamadre.engines.runner import Runner, RunnerFactory

PROTOCOLS: Registry[RunnerFactory] = Registry(
    "remote protocol",
    {
        "bedrock": "rocamadre.engines.remote.bedrock:BedrockRemote",
        "openai": "rocamadre.engines.remote.openai_wire:OpenAIRemote",
    },
)


class _Remote:
    """Makes the runner that a model's options ask for."""

    def __call__(self, spec: LoadSpec, settings: EngineSettings, home: Path) -> Runner:
        """A runner that is not started yet.

        Raises:
            InvalidRequest: the options do not name a protocol.
            Unknown: there is no such protocol.
        """
        protocol = spec.options.get("protocol")
        if not isinstance(protocol, str):
            raise InvalidRequest(
                f"{spec.model_id}: option `protocol` is missing; allowed: {', '.join(PROTOCOLS.names())}"
            )
        return PROTOCOLS.load(protocol)(spec, settings, home)

    def memory_bytes(self, spec: LoadSpec, settings: EngineSettings) -> int:
        """None of ours."""
        return 0


remote_engine = _Remote()

"""The engines there are, by name."""

from __future__ import annotations

from rocamadre.core.registry import Registry
from rocamadre.engines.runner import RunnerFactory

ENGINES: Registry[RunnerFactory] = Registry(
    "engine",
    {
        "embed": "rocamadre.engines.embed.engine:EmbedEngine",
        "fake": "rocamadre.engines.fake:FakeEngine",
        "llama": "rocamadre.engines.llama.engine:LlamaEngine",
        "remote": "rocamadre.engines.remote.engine:remote_engine",
        "torch": "rocamadre.engines.torch.engine:TorchEngine",
    },
    extra={"torch": "train"},
)

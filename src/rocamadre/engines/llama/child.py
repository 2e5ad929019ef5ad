"""The process that holds a GGUF model: `python -m rocamadre.engines.llama.child`, started by `LlamaEngine`.

llama.cpp's own HTTP server (from xllamacpp) listens on a unix socket in a private folder, and nowhere else; its web
page and its answers to other origins are off. An fp32 cache without flash attention gives the same greedy tokens as the
reference implementation; the cache of idle prompts (8 GB by default) is off.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import xllamacpp

from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.engines.childside import begin, run
from rocamadre.engines.llama.gguf_adapter import check_adapter
from rocamadre.engines.llama.header import Header, read_header

_CACHE_TYPES = {"f32": xllamacpp.ggml_type.GGML_TYPE_F32, "f16": xllamacpp.ggml_type.GGML_TYPE_F16}
_OTHER_THREADS = 4
_LOG_WARNINGS = 2


def parameters(spec: dict[str, Any], context_length: int) -> Any:
    """llama.cpp's parameters for our specification.

    Args:
        spec: `path`, `socket`, `slots`, `threads`, `cache_type` (`f32`, `f16`), `flash_attention`, `adapters` (files;
            they are loaded and do nothing unless a request asks for one).
        context_length: Tokens of each slot.
    """
    params = xllamacpp.CommonParams()
    params.model.path = spec["path"]
    params.hostnames = [spec["socket"]]
    params.ui = False
    params.cors_origins = ""
    params.cors_methods = ""
    params.cors_headers = ""
    params.cors_credentials = False
    params.endpoint_slots = False
    params.endpoint_metrics = False
    params.n_parallel = spec["slots"]
    params.n_ctx = context_length * spec["slots"]
    params.n_threads_http = spec["slots"] + _OTHER_THREADS
    params.cpuparams.n_threads = spec["threads"]
    params.cpuparams_batch.n_threads = spec["threads"]
    params.cache_type_k = params.cache_type_v = _CACHE_TYPES[spec["cache_type"]]
    flash = xllamacpp.llama_flash_attn_type
    params.flash_attn_type = (
        flash.LLAMA_FLASH_ATTN_TYPE_AUTO if spec["flash_attention"] else flash.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in spec["adapters"]]
    params.lora_init_without_apply = True
    params.cache_ram_mib = 0
    params.fit_params = False
    params.verbosity = _LOG_WARNINGS
    return params


def _facts(header: Header, context_length: int, spec: dict[str, Any], left_out: dict[str, str]) -> dict[str, Any]:
    return {
        "adapters": spec["adapters"],
        "left_out": left_out,
        "context_length": context_length,
        "vocabulary_size": header.vocabulary_size,
        "marks": header.marks,
        "plain_token": header.plain_token,
        "control_tokens": header.control_tokens,
        "chat_template": header.values.get("tokenizer.chat_template", ""),
    }


def main() -> None:
    """Load, announce, and wait for the parent's end; llama.cpp's threads serve meanwhile."""
    spec, announcer = begin()
    try:
        header = read_header(Path(spec["path"]))
        trained = header.hyperparameter("context_length", spec["context_length"])
        context_length = min(spec["context_length"], trained)
        left_out = {path: reason for path in spec["adapters"] if (reason := check_adapter(Path(path), header))}
        spec["adapters"] = [path for path in spec["adapters"] if path not in left_out]
        Path(spec["socket"]).unlink(missing_ok=True)
        try:
            server = xllamacpp.Server(parameters(spec, context_length))
        except RuntimeError as error:
            raise InvalidRequest(f"{spec['path']} cannot be loaded: {error}") from error
        Path(spec["socket"]).chmod(0o600)
    except RocamadreError as error:
        announcer.refuse(error)
    announcer.ready(_facts(header, context_length, spec, left_out))
    threading.Event().wait()
    del server  # kept until here: it serves as long as it lives


if __name__ == "__main__":
    run(main)

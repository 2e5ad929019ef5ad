"""The process that holds an embedding model: `python -m rocamadre.engines.embed.child`, started by `EmbedEngine`."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.engines.childside import Inbox, begin, run
from rocamadre.engines.embed.serving import Vectors, serve

DEFAULT_MAX_TOKENS = 256
BATCH_TOKENS = 1024
BATCH_TEXTS = 32


class EmbeddingModel:
    """An encoder in ONNX Runtime with its tokenizer.

    Args:
        folder: Holds `tokenizer.json` and `model.onnx`, or `model.safetensors` and `config.json` to convert.
        threads: Of ONNX Runtime.

    Raises:
        InvalidRequest: a file is missing or cannot be read.
    """

    batch_texts = BATCH_TEXTS
    batch_tokens = BATCH_TOKENS

    def __init__(self, folder: Path, *, threads: int) -> None:
        if not (folder / "model.onnx").exists():
            from rocamadre.engines.embed.export import export_bert  # noqa: PLC0415  (onnx slows every start)

            export_bert(folder, folder / "model.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # both libraries raise bare Exceptions for damaged files
            raise InvalidRequest(f"{folder}: {error}") from error
        self.max_tokens = self.window_tokens = _max_tokens(folder)
        self.dimensions = int(self._session.get_outputs()[0].shape[1])
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._last = self._tokenizer.encode("").ids[-1]

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        """Tokens of each text, with the model's first and last token, not truncated."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    def truncate(self, ids: list[int]) -> list[int]:
        """The tokens that the model reads; the last one stays the model's own end token."""
        return ids if len(ids) <= self.max_tokens else [*ids[: self.max_tokens - 1], self._last]

    def embed(self, batch: list[list[int]]) -> Vectors:
        """Unit vectors, float32 (texts, dimensions), of token ids already truncated, none empty."""
        longest = max(map(len, batch))
        ids = np.zeros((len(batch), longest), np.int32)
        mask = np.zeros((len(batch), longest), np.int32)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        vectors: Vectors = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


def _max_tokens(folder: Path) -> int:
    try:
        read = msgspec.json.decode((folder / "sentence_bert_config.json").read_bytes())
        return int(read["max_seq_length"])
    except (OSError, KeyError, msgspec.MsgspecError):
        return DEFAULT_MAX_TOKENS


def main() -> None:
    """Load, announce, serve."""
    spec, announcer = begin()
    try:
        model = EmbeddingModel(Path(spec["path"]), threads=spec["threads"])
        model.embed(model.token_ids(["warm"]))
    except RocamadreError as error:
        announcer.refuse(error)
    inbox = Inbox(spec["fd"])
    announcer.ready({"dimensions": model.dimensions, "max_tokens": model.max_tokens})
    serve(model, inbox)


if __name__ == "__main__":
    run(main)

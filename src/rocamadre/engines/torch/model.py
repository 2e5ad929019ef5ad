"""A Hugging Face directory as a model that runs: weights from safetensors only, and no code that came with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
import transformers
from torch import Tensor

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest
from rocamadre.engines.rendering import Guard, Renderer, Variables, new_seam
from rocamadre.engines.tool_formats.registry import find_format
from rocamadre.engines.torch.adapters import ADAPTER_LOADERS, AdapterOptions

Kind = Literal["causal", "encoder-decoder", "encoder"]
_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_CLASSES = {
    "causal": transformers.AutoModelForCausalLM,
    "encoder-decoder": transformers.AutoModelForSeq2SeqLM,
    "encoder": transformers.AutoModel,
}


class TorchModel:
    """Weights, tokenizer and what to do with them.

    Args:
        folder: Holds `config.json`, `*.safetensors` and a tokenizer. With an adapter: its base, a directory or a GGUF
            file; the tokenizer is then the adapter's.
        context_length: Most tokens of prompt and answer together; the model's own where that is less.
        threads: Of torch.
        adapter: What to put on the model, or None.

    Attributes:
        kind: What the model can do.
        ends: Tokens that end an answer.
        begin: The token that text begins with unasked, or None.

    Raises:
        InvalidRequest: a file is missing, damaged, not safetensors, or needs code of its own.
    """

    def __init__(
        self, folder: Path, *, context_length: int, threads: int, adapter: AdapterOptions | None = None
    ) -> None:
        torch.set_num_threads(threads)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        taken = 0
        if adapter is not None:
            # A GGUF file has no tokenizer that transformers reads, so the adapter brings one.
            loaded, taken = ADAPTER_LOADERS.load("method")(folder, adapter.method, adapter.folder)
            self.tokenizer = self._read(
                adapter.folder, lambda: transformers.AutoTokenizer.from_pretrained(adapter.folder, **_SAFE)
            )
            self.config = loaded.config
            self.kind = kind_of(self.config)
        else:
            if not list(folder.glob("*.safetensors")):
                raise InvalidRequest(f"{folder}: there are no *.safetensors; weights in other formats are not loaded")
            loaded = self._read(folder, lambda: self._load(folder))
        self.model: Any = loaded.eval().to(self.device)
        self.context_length = min(context_length, (_positions(self.config) or context_length + taken) - taken)
        self.max_embedding_tokens = min(self.context_length, _sentence_limit(folder) or self.context_length)
        self.ends = _ends(self.model, self.tokenizer, adapter.folder if adapter is not None else None)
        self.begin = _begin(self.tokenizer) if self.kind == "causal" else None
        self.marks = tuple(str(token) for token in self.tokenizer.get_added_vocab() if len(token) > 2)
        self.grammar_tokenizer: Any = None  # Made by the first request that needs it.
        self.chat_template = str(self.tokenizer.chat_template or "")
        self._renderer = Renderer(Guard(self.marks), find_format(self.chat_template), takes_documents=False)

    def _load(self, folder: Path) -> Any:
        self.config = transformers.AutoConfig.from_pretrained(folder, **_SAFE)
        self.kind = kind_of(self.config)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **_SAFE)
        return _CLASSES[self.kind].from_pretrained(folder, use_safetensors=True, dtype=torch.float32, **_SAFE)

    @staticmethod
    def _read(folder: Path, load: Callable[[], Any]) -> Any:
        try:
            return load()
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise InvalidRequest(f"{folder}: {error}") from error
        except Exception as error:  # safetensors and tokenizers raise their own for damaged files
            raise InvalidRequest(f"{folder}: {type(error).__name__}: {error}") from error

    def render(self, request: GenerationRequest) -> tuple[str, list[int]]:
        """The prompt as text and tokens.

        Raises:
            InvalidRequest: it is a conversation and the model has no chat template, or the template refuses it.
        """
        if request.prompt is not None:
            if wrong := next((each for each in request.prompt_ids if not 0 <= each < self.config.vocab_size), None):
                raise InvalidRequest(
                    f"token {wrong} in the prompt; this model's tokens are 0 to {self.config.vocab_size - 1}"
                )
            return request.prompt, list(request.prompt_ids) or self.tokenizer(request.prompt)["input_ids"]
        seam = new_seam()
        given = self._renderer.variables(request, seam)
        turns = given.messages
        if self.chat_template:
            marked = self._apply_template(given)
            special = False
        elif self.kind == "encoder-decoder":
            marked = "\n".join(turn["content"] for turn in turns)
            special = True
        else:
            raise InvalidRequest("the model has no chat template; send a raw prompt")
        tokens: list[int] = []
        for part in marked.split(seam):
            tokens += self.tokenizer(part, add_special_tokens=False)["input_ids"]
        if special:
            tokens += self.tokenizer("")["input_ids"]  # T5 ends its inputs with a mark
        elif self.begin is not None and tokens[:1] != [self.begin]:
            tokens.insert(0, self.begin)  # as llama.cpp does, and training with it
        return marked.replace(seam, ""), tokens

    @property
    def control_tokens(self) -> dict[str, int]:
        """Tokens that are no text: text to number."""
        return {str(token): number for number, token in self.tokenizer.added_tokens_decoder.items() if token.special}

    def _apply_template(self, given: Variables) -> str:
        try:
            text: str = self.tokenizer.apply_chat_template(
                given.messages, tools=given.tools or None, tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # a template may raise whatever it likes
            raise InvalidRequest(f"the model's chat template refused the conversation: {error}") from error
        return text

    def embed(self, batch: Sequence[Sequence[int]]) -> Tensor:
        """Mean over tokens, then unit length: float32, shape (texts, width), on the CPU."""
        longest = max(map(len, batch))
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        mask = torch.zeros(len(batch), longest, dtype=torch.long)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        with torch.inference_mode():
            state = self.model(input_ids=ids.to(self.device), attention_mask=mask.to(self.device)).last_hidden_state
        total = (state * mask[..., None].to(self.device)).sum(1)
        return torch.nn.functional.normalize(total, dim=1).cpu()


def kind_of(config: Any) -> Kind:
    """What a model of this configuration can do."""
    if config.is_encoder_decoder:
        return "encoder-decoder"
    names = " ".join(config.architectures or ())
    if "CausalLM" in names or "LMHeadModel" in names:
        return "causal"
    return "encoder"


def _begin(tokenizer: Any) -> int | None:
    begin = tokenizer.bos_token_id
    return int(begin) if begin is not None and tokenizer("a")["input_ids"][:1] == [begin] else None


def _positions(config: Any) -> int | None:
    for name in ("max_position_embeddings", "n_positions"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None


def _sentence_limit(folder: Path) -> int | None:
    try:
        return int(msgspec.json.decode((folder / "sentence_bert_config.json").read_bytes())["max_seq_length"])
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _ends(model: Any, tokenizer: Any, adapter: Path | None) -> tuple[int, ...]:
    found: set[int] = set()
    settings = getattr(model, "generation_config", None)
    if adapter is not None and (adapter / "generation_config.json").is_file():
        settings = transformers.GenerationConfig.from_pretrained(adapter, local_files_only=True)
    for value in (getattr(settings, "eos_token_id", None), tokenizer.eos_token_id):
        found |= set(value) if isinstance(value, list) else {value} if value is not None else set()
    return tuple(sorted(found))

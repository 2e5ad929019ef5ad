"""A trained network as a Hugging Face folder and as the GGUF file that ships."""

import json
from pathlib import Path

import chat
import torch
from network import Network, Shape
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from vocabulary import BOS, END_OF_TEXT, PAD, TURN_END

from rocamadre.engines.llama.gguf import GgufSummary, export_gguf


def hugging_face_weights(network: Network) -> dict[str, Tensor]:
    """The weights, float32, unfused, under the names of `LlamaForCausalLM`; the head is tied and left out."""
    shape = network.shape
    kv = shape.kv_heads * shape.head_size
    weights = {"model.embed_tokens.weight": network.embedding.weight, "model.norm.weight": network.norm.weight}
    for number, block in enumerate(network.blocks):
        q, k, v = block.qkv.weight.split((shape.hidden, kv, kv))
        gate, up = block.gate_up.weight.chunk(2)
        layer = {
            "input_layernorm": block.norm_attention.weight,
            "self_attn.q_proj": q,
            "self_attn.k_proj": k,
            "self_attn.v_proj": v,
            "self_attn.o_proj": block.out.weight,
            "post_attention_layernorm": block.norm_mlp.weight,
            "mlp.gate_proj": gate,
            "mlp.up_proj": up,
            "mlp.down_proj": block.down.weight,
        }
        weights |= {f"model.layers.{number}.{name}.weight": weight for name, weight in layer.items()}
    return {name: weight.detach().float().cpu().contiguous().clone() for name, weight in weights.items()}


def config(shape: Shape, tokenizer: Tokenizer) -> dict:
    """config.json of `LlamaForCausalLM`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "dtype": "float32",
        "bos_token_id": tokenizer.token_to_id(BOS),
        "eos_token_id": [tokenizer.token_to_id(TURN_END), tokenizer.token_to_id(END_OF_TEXT)],
        "pad_token_id": tokenizer.token_to_id(PAD),
    }


def tokenizer_config(shape: Shape) -> dict:
    """tokenizer_config.json, chat template included."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": TURN_END,
        "pad_token": PAD,
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": shape.context,
        "chat_template": chat.chat_template(),
    }


def write_json(path: Path, value: dict) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def write_folder(network: Network, tokenizer: Tokenizer, folder: Path, *, weights: bool = True) -> None:
    """Write config, tokenizer and, unless told not to, the float32 weights."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config(network.shape, tokenizer))
    write_json(folder / "tokenizer_config.json", tokenizer_config(network.shape))
    partial = folder / "tokenizer.partial"
    tokenizer.save(str(partial))
    partial.replace(folder / "tokenizer.json")
    if weights:
        with torch.no_grad():
            save_file(hugging_face_weights(network), folder / "model.partial", metadata={"format": "pt"})
        (folder / "model.partial").replace(folder / "model.safetensors")


def write_gguf(network: Network, tokenizer: Tokenizer, folder: Path, path: Path, *, kind: str = "Q8_0") -> GgufSummary:
    """Write the Hugging Face folder, and from it the GGUF file."""
    write_folder(network, tokenizer, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    return export_gguf(folder, path, kind=kind, name="roca-mini")

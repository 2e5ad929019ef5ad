"""The served weights in plain numpy, for what a server does not tell: the probability of a given text."""

from pathlib import Path

import gguf
import numpy as np

from rocamadre.engines.llama.gguf import dequantise


class Forward:
    """A Llama-shaped GGUF file, dequantised, float32."""

    def __init__(self, path: Path) -> None:
        self.weights = dequantise(path)
        reader = gguf.GGUFReader(path)
        value = lambda key: reader.get_field(f"llama.{key}").contents()  # noqa: E731
        self.layers, self.heads = int(value("block_count")), int(value("attention.head_count"))
        self.kv_heads = int(value("attention.head_count_kv"))
        self.epsilon = float(value("attention.layer_norm_rms_epsilon"))
        self.theta = float(value("rope.freq_base"))
        self.size = self.weights["model.norm.weight"].shape[0] // self.heads

    def log_probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """Log-probability, in nats, of each token but the first given those before it.

        Args:
            tokens: (length,) ids.

        Returns:
            (length - 1,) float32.
        """
        x = self.weights["model.embed_tokens.weight"][tokens]
        length = len(tokens)
        frequencies = self.theta ** -(np.arange(0, self.size, 2) / self.size)
        angles = np.outer(np.arange(length), np.concatenate([frequencies, frequencies])).astype(np.float32)
        cos, sin = np.cos(angles), np.sin(angles)
        hidden_future = np.triu(np.full((length, length), -np.inf, dtype=np.float32), 1)
        for number in range(self.layers):
            x = self._layer(x, f"model.layers.{number}.", cos, sin, hidden_future)
        logits = self._norm(x, "model.norm.weight")[:-1] @ self.weights["model.embed_tokens.weight"].T
        logits -= logits.max(axis=-1, keepdims=True)
        chosen = logits[np.arange(length - 1), tokens[1:]]
        return chosen - np.log(np.exp(logits).sum(axis=-1))

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        scale = np.sqrt((x * x).mean(axis=-1, keepdims=True) + self.epsilon)
        return x / scale * self.weights[name]

    def _layer(self, x: np.ndarray, prefix: str, cos: np.ndarray, sin: np.ndarray, mask: np.ndarray) -> np.ndarray:
        length = len(x)
        h = self._norm(x, prefix + "input_layernorm.weight")
        q, k, v = (
            (h @ self.weights[f"{prefix}self_attn.{part}_proj.weight"].T).reshape(length, -1, self.size).swapaxes(0, 1)
            for part in "qkv"
        )
        q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
        k, v = (np.repeat(part, self.heads // self.kv_heads, axis=0) for part in (k, v))
        scores = q @ k.swapaxes(1, 2) / np.float32(np.sqrt(self.size)) + mask
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        attended = (scores @ v).swapaxes(0, 1).reshape(length, -1)
        x = x + attended @ self.weights[prefix + "self_attn.o_proj.weight"].T
        h = self._norm(x, prefix + "post_attention_layernorm.weight")
        gate = h @ self.weights[prefix + "mlp.gate_proj.weight"].T
        up = h @ self.weights[prefix + "mlp.up_proj.weight"].T
        return x + (gate / (1 + np.exp(-gate)) * up) @ self.weights[prefix + "mlp.down_proj.weight"].T


def _rotate(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    first, second = np.split(x, 2, axis=-1)
    return x * cos + np.concatenate([-second, first], axis=-1) * sin

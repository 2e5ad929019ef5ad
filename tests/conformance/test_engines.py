import importlib.util

import pytest

from rocamadre.engines.protocol import LoadSpec
from rocamadre.testing.engine_suite import EmbeddingSuite, GenerationSuite, ToolSuite
from rocamadre.testing.tiny import tiny_bert, tiny_gguf, tiny_llama


class TestFake(GenerationSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("test.fake-v1:0", "fake", None, 256)


class TestFakeEmbeddings(EmbeddingSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("test.fake-v1:0", "fake", None, 256)


class TestLlama(GenerationSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("test.tiny-v1:0", "llama", tiny_gguf(folder / "tiny.gguf"), 256)


class TestLlamaTools(ToolSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("test.tiny-v1:0", "llama", tiny_gguf(folder / "tiny.gguf", context_length=2048), 2048)


class TestFakeTools(ToolSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("test.fake-v1:0", "fake", None, 2048)


class TestEmbed(EmbeddingSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("test.bert-v1:0", "embed", tiny_bert(folder / "bert"), 32)


needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the extra `train` is not installed")


@needs_torch
class TestTorchCausal(GenerationSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("test.llama-v1:0", "torch", tiny_llama(folder / "llama"), 256)


@needs_torch
class TestTorchTools(ToolSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("test.llama-v1:0", "torch", tiny_llama(folder / "llama", context_length=2048), 2048)


@needs_torch
class TestTorchEncoderDecoder(GenerationSuite):
    @staticmethod
    def spec(folder):
        import transformers

        path = tiny_llama(folder / "t5")
        (path / "model.safetensors").unlink()
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_file=str(path / "tokenizer.json"), eos_token="<|im_end|>", pad_token="<|bos|>"
        )
        tokenizer.save_pretrained(path)
        config = transformers.T5Config(
            vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, n_positions=256,
            decoder_start_token_id=0, eos_token_id=tokenizer.eos_token_id, pad_token_id=0,
        )  # fmt: skip
        transformers.set_seed(3)
        transformers.T5ForConditionalGeneration(config).save_pretrained(path)
        return LoadSpec("test.t5-v1:0", "torch", path, 256)


@needs_torch
class TestTorchEncoder(EmbeddingSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("test.bert-v1:0", "torch", tiny_bert(folder / "bert"), 32)

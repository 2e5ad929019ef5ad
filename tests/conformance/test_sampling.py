import importlib.util

import pytest

from rocamadre.engines.protocol import LoadSpec
from rocamadre.testing.sampling_suite import SamplingSuite
from rocamadre.testing.tiny import MARKS, tiny_gguf, tiny_llama

END = MARKS.index("<|im_end|>")


class TestLlama(SamplingSuite):
    END_TOKEN = END

    @staticmethod
    def spec(folder):
        return LoadSpec("test.tiny-v1:0", "llama", tiny_gguf(folder / "tiny.gguf"), 256)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the extra `train` is not installed")
class TestTorch(SamplingSuite):
    END_TOKEN = END

    @staticmethod
    def spec(folder):
        return LoadSpec("test.llama-v1:0", "torch", tiny_llama(folder / "llama"), 256)

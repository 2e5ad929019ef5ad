from rocamadre.engines.protocol import LoadSpec
from rocamadre.testing.engine_suite import EmbeddingSuite, GenerationSuite
from rocamadre.testing.tiny import tiny_bert, tiny_gguf


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


class TestEmbed(EmbeddingSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("test.bert-v1:0", "embed", tiny_bert(folder / "bert"), 32)

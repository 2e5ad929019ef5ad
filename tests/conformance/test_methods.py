"""Every training method, as its suite wants it."""

from rocamadre.testing.method_suite import MethodSuite
from rocamadre.training.methods.registry import METHODS, make_method


class TestFull(MethodSuite):
    @staticmethod
    def method():
        return make_method("full")


class TestLastBlock(TestFull):
    @staticmethod
    def options():
        return {"last_layers": 1, "train_embeddings": False}


class TestLora(MethodSuite):
    @staticmethod
    def options():
        return {"rank": 4, "alpha": 8, "dropout": 0.1}

    @staticmethod
    def method():
        return make_method("lora")


class TestDora(TestLora):
    @staticmethod
    def options():
        return {"rank": 4, "alpha": 8, "dora": True, "rslora": True, "targets": ["attention"]}


class TestQlora(MethodSuite):
    @staticmethod
    def options():
        return {"rank": 4, "alpha": 8}

    @staticmethod
    def method():
        return make_method("qlora")


class TestPromptTuning(MethodSuite):
    @staticmethod
    def options():
        return {"tokens": 5}

    @staticmethod
    def method():
        return make_method("prompt-tuning")


class TestPrefixTuning(MethodSuite):
    @staticmethod
    def options():
        return {"tokens": 5}

    learning_rate = 5e-2

    @staticmethod
    def method():
        return make_method("prefix-tuning")


class TestProjectedPrefix(TestPrefixTuning):
    @staticmethod
    def options():
        return {"tokens": 5, "projection": True, "projection_width": 8}

    learning_rate = 1e-2


class TestIa3(MethodSuite):
    @staticmethod
    def method():
        return make_method("ia3")


class TestLoreft(MethodSuite):
    @staticmethod
    def options():
        return {"rank": 4, "first": 16, "last": 1}

    @staticmethod
    def method():
        return make_method("loreft")


def test_every_method_is_here():
    checked = {each.method().name for each in MethodSuite.__subclasses__()}
    assert checked == set(METHODS.names())

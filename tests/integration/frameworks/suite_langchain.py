"""The standard suites of langchain-tests on langchain-aws: chat models over Converse and InvokeModel, and embeddings.

Where a suite fails for what a local model lacks, the reason stands here, and passing would be a failure: `strict`.
"""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from langchain_aws import BedrockEmbeddings, BedrockRerank, ChatBedrock, ChatBedrockConverse
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests, EmbeddingsUnitTests

CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"

no_images = pytest.mark.xfail(reason="no local model reads images", strict=True, raises=ClientError)


bad_name = pytest.mark.xfail(
    reason="the suite names a document test_file.pdf; Bedrock refuses such names", strict=True, raises=ClientError
)


@pytest.mark.usefixtures("downloads")
class Chat(ChatModelIntegrationTests):
    """What both chat models can."""

    supports_image_inputs = True
    supports_image_tool_message = True
    supports_pdf_inputs = True
    supports_pdf_tool_message = True
    supports_anthropic_inputs = True
    supports_model_override = False  # Neither client takes another model with a call.

    @property
    def chat_model_params(self):
        return {"model": CLAUDE, "max_tokens": 256}

    @property
    def standard_chat_model_params(self):
        return {"temperature": 0}

    @no_images
    def test_image_inputs(self, model):
        super().test_image_inputs(model)

    @no_images
    def test_image_tool_message(self, model):
        super().test_image_tool_message(model)

    @no_images
    def test_anthropic_inputs(self, model):
        super().test_anthropic_inputs(model)


class Converse(Chat):
    chat_model_class = ChatBedrockConverse

    @bad_name
    def test_pdf_inputs(self, model):
        super().test_pdf_inputs(model)


class TestChatBedrockConverse(Converse):
    @property
    def supported_usage_metadata_details(self):
        return {how: ["cache_read_input", "cache_creation_input"] for how in ("invoke", "stream")}

    def invoke_with_cache_creation_input(self, *, stream=False):
        model = ChatBedrockConverse(**self.chat_model_params)
        point = {"cachePoint": {"type": "default"}}
        messages = [SystemMessage(["Be brief. " * 400, point]), HumanMessage("Hello")]
        if not stream:
            return model.invoke(messages)
        first, *rest = model.stream(messages)
        for piece in rest:
            first += piece
        return first

    invoke_with_cache_read_input = invoke_with_cache_creation_input


class TestChatBedrockConverseNova(Converse):
    supports_anthropic_inputs = False

    @property
    def chat_model_params(self):
        return {"model": NOVA, "max_tokens": 256}


class TestChatBedrock(Chat):
    chat_model_class = ChatBedrock
    supports_pdf_inputs = supports_pdf_tool_message = False  # The client sends files over Converse only.


class WithoutImages(Chat):
    supports_image_inputs = False


@pytest.mark.usefixtures("downloads")
@pytest.mark.parametrize("chat", [ChatBedrockConverse, ChatBedrock])
def test_anthropic_inputs_without_the_image(chat):
    ChatModelIntegrationTests.test_anthropic_inputs(WithoutImages(), chat(model=CLAUDE, max_tokens=256))


class TestChatBedrockConverseUnits(ChatModelUnitTests):
    chat_model_class = ChatBedrockConverse

    @property
    def chat_model_params(self):
        return {"model": CLAUDE}


class TestChatBedrockUnits(ChatModelUnitTests):
    chat_model_class = ChatBedrock

    @property
    def chat_model_params(self):
        return {"model": CLAUDE}


class TestBedrockEmbeddings(EmbeddingsIntegrationTests):
    embeddings_class = BedrockEmbeddings

    @property
    def embedding_model_params(self):
        return {"model_id": TITAN}


class TestBedrockEmbeddingsCohere(EmbeddingsIntegrationTests):
    embeddings_class = BedrockEmbeddings

    @property
    def embedding_model_params(self):
        return {"model_id": "cohere.embed-multilingual-v3"}


class TestBedrockEmbeddingsUnits(EmbeddingsUnitTests):
    embeddings_class = BedrockEmbeddings

    @property
    def embedding_model_params(self):
        return {"model_id": TITAN}


class TestBedrockRerank:
    """No standard suite exists for these."""

    def test_the_nearest_document_comes_first(self):
        arn = "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"
        documents = [Document("stones are hard"), Document("a river runs to the sea"), Document("bread is baked")]
        found = BedrockRerank(model_arn=arn, top_n=2).compress_documents(documents, "where a river runs")
        assert [document.page_content for document in found][:1] == ["a river runs to the sea"]
        assert len(found) == 2
        assert found[0].metadata["relevance_score"] > found[1].metadata["relevance_score"]

"""A request of RetrieveAndGenerate, taken apart and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rocamadre.api.bedrock_runtime.settings import read_sampling
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import Sampling
from rocamadre.knowledge.answers.prompts import check_template

_MEMBERS = {"KNOWLEDGE_BASE": "knowledgeBaseConfiguration", "EXTERNAL_SOURCES": "externalSourcesConfiguration"}
_SMALL_ANSWER = 512
"""Tokens of an answer where the client sets no maximum."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One request, taken apart.

    Attributes:
        inner: The configuration of its type.
        at: That configuration's place in the request, for errors.
    """

    text: str
    type: str
    inner: Mapping[str, Any]
    at: str
    session_id: str | None
    kms_key: str

    @property
    def generation(self) -> Mapping[str, Any]:
        """`generationConfiguration`; empty for none."""
        found: Mapping[str, Any] = self.inner.get("generationConfiguration") or {}
        return found

    @property
    def orchestration(self) -> Mapping[str, Any]:
        """`orchestrationConfiguration`; empty for none."""
        found: Mapping[str, Any] = self.inner.get("orchestrationConfiguration") or {}
        return found


def read_wish(request: Mapping[str, Any]) -> Wish:
    """Check a request of RetrieveAndGenerate or its stream.

    Raises:
        InvalidRequest: something in it is wrong.
        NotBuilt: it asks for what Rocamadre lacks.
    """
    text = request["input"]["text"]
    if not text.strip():
        raise InvalidRequest("input.text: the question is blank")
    configuration = request.get("retrieveAndGenerateConfiguration")
    if configuration is None:
        raise InvalidRequest("retrieveAndGenerateConfiguration is missing: it says which knowledge base or documents")
    kind = configuration["type"]
    member = _MEMBERS[kind]
    others = [name for name in _MEMBERS.values() if name != member and name in configuration]
    if member not in configuration or others:
        raise InvalidRequest(f"retrieveAndGenerateConfiguration of type {kind} holds {member} and nothing else")
    at = f"retrieveAndGenerateConfiguration.{member}"
    wish = Wish(
        text,
        kind,
        configuration[member],
        at,
        request.get("sessionId"),
        (request.get("sessionConfiguration") or {}).get("kmsKeyArn", ""),
    )
    _check(wish)
    if "userContext" in request:
        raise NotBuilt("userContext: Rocamadre's knowledge bases have no access lists per user; leave it out")
    return wish


def _check(wish: Wish) -> None:
    for name, part, needs in (
        ("generationConfiguration", wish.generation, ("search_results",)),
        ("orchestrationConfiguration", wish.orchestration, ("conversation_history", "output_format_instructions")),
    ):
        if template := template_of(part):
            check_template(template, needs=needs, at=f"{wish.at}.{name}.promptTemplate")


def template_of(part: Mapping[str, Any]) -> str:
    """The client's prompt template; empty for none."""
    return str((part.get("promptTemplate") or {}).get("textPromptTemplate", ""))


def sampling_of(part: Mapping[str, Any]) -> Sampling:
    """How tokens are picked, by a generation or orchestration configuration."""
    config = (part.get("inferenceConfig") or {}).get("textInferenceConfig")
    if config and config.get("maxTokens") == 0:
        config = {name: value for name, value in config.items() if name != "maxTokens"}
    sampling = read_sampling(config, part.get("additionalModelRequestFields"))
    return sampling if sampling.max_tokens else replace(sampling, max_tokens=_SMALL_ANSWER)

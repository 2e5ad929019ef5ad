"""A question to a knowledge base: the answer with what it rests on, what was found, and the way of each chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rocamadre.console.failures import ApiFailure
from rocamadre.console.knowledge import answer, base_page, document_page, retrieve
from rocamadre.console.page import Page
from rocamadre.console.pages.trials import find_model
from rocamadre.console.parts.elements import box, button, heading, link, tag, text, text_field
from rocamadre.console.parts.states import empty, region

_COUNT = 5
_SHOWN = 8
_SHORT = 90
_LONG = 600
_CHANGES = ("found", "moved", "dropped")
_FACTS = frozenset({"stage", "milliseconds", "ranking", *_CHANGES})
_KB, _OURS = "x-amz-bedrock-kb-", "x-rocamadre-"


class Asker:
    """The field for a question, and what came of the one in the address."""

    def __init__(self, page: Page, base: dict[str, Any]) -> None:
        self._page, self._base = page, base["id"]
        self._question = page.query.get("ask", "")[:1000].strip()
        t = page.t
        if base["type"] != "VECTOR":
            return
        with box("card"):
            heading(t("knowledge.ask"))
            with box("fields"):
                field = text_field(
                    t("knowledge.question"), value=self._question, classes="wide",
                    placeholder=t("knowledge.question_example"), on_change=self._say, maxlength=1000,
                )  # fmt: skip
                field.on("keydown.enter", lambda event: self._ask(event.args), js_handler="(e) => emit(e.target.value)")
                button(t("knowledge.send"), self._again, kind="primary", symbol="search")
            if self._question:
                region(page, self._answer, self._show_answer, classes="section", lines=3)
                region(page, self._retrieve, self._show_found, classes="section", lines=6)

    def _say(self, question: Any) -> None:
        self._question = str(question).strip()

    def _ask(self, question: Any) -> None:
        self._say(question)
        self._again()

    def _again(self) -> None:
        if self._question:
            self._page.go(base_page(self._base), ask=self._question)

    async def _answer(self) -> tuple[dict[str, Any], str]:
        model = await find_model(self._page, "TEXT")
        return await asyncio.to_thread(answer, self._page.api, self._base, self._question, model), model

    def _show_answer(self, answered: tuple[dict[str, Any], str]) -> None:
        found, model = answered
        t = self._page.t
        citations = [each for each in found.get("citations", ()) if each["retrievedReferences"]]
        with box("answer"):
            heading(t("knowledge.answer"), level=3)
            with tag("p", classes="hostile answer-text"):
                self._cited_text(found["output"]["text"], citations)
            number = 0
            if citations:
                with tag("ol", classes="references"):
                    for citation in citations:
                        for reference in citation["retrievedReferences"]:
                            number += 1
                            with tag("li", id=f"reference-{number}"):
                                self._reference(reference["content"].get("text", ""), reference.get("metadata", {}))
            else:
                text(t("knowledge.uncited"), classes="faint small")
            text(t("knowledge.answered_by", model=model), classes="faint small")

    def _cited_text(self, said: str, citations: list[dict[str, Any]]) -> None:
        number, at = 0, 0
        for citation in citations:
            part = citation["generatedResponsePart"]["textResponsePart"]
            # The end is the last character's place, as on Bedrock; a part that is not where it says is looked for.
            end = part["span"]["end"] + 1
            if said[part["span"]["start"] : end] != part["text"]:
                place = said.find(part["text"], at)
                end = place + len(part["text"]) if place >= 0 else at
            tag("span", said[at:end])
            at = max(at, end)
            for _ in citation["retrievedReferences"]:
                number += 1
                with tag("sup"):
                    link(f"[{number}]", f"#reference-{number}")
        tag("span", said[at:])

    def _reference(self, passage: str, metadata: Mapping[str, Any]) -> None:
        document = str(metadata.get(f"{_KB}source-uri", ""))
        start, end = int(metadata.get(f"{_OURS}start", -1)), int(metadata.get(f"{_OURS}end", -1))
        source = str(metadata.get(f"{_KB}data-source-id", ""))
        with box("row"):
            link(document.rpartition("/")[2] or document,
                 document_page(self._base, document, source, start=start, end=end), classes="hostile")  # fmt: skip
            page_number = metadata.get(f"{_KB}document-page-number")
            if page_number:
                tag("span", self._page.t("knowledge.page", page=int(page_number)), classes="faint small")
        text(_cut(passage, _LONG), classes="small hostile passage")

    async def _retrieve(self) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, str]]:
        api = self._page.api
        results, path = await asyncio.to_thread(retrieve, api, self._base, self._question, _COUNT)
        trace: dict[str, Any] = await api.get(path) if path else {"stages": [], "results": []}
        texts = {each[name]: each["text"] for each in trace["results"] for name in ("chunk", "matched")}
        wanted = {
            each["chunk"]
            for stage in trace["stages"]
            for name in (*_CHANGES, "ranking")
            for each in stage[name][:_SHOWN]
        }
        missing = [each for each in wanted if each not in texts]
        found = await asyncio.gather(*(self._text(each) for each in missing))
        return results, trace, texts | dict(zip(missing, found, strict=True))

    async def _text(self, chunk: str) -> str:
        path = f"/_rocamadre/knowledge-bases/{quote(self._base, safe='')}/chunks/{quote(chunk, safe='')}"
        try:
            return str((await self._page.api.get(path))["text"])
        except ApiFailure:
            return chunk

    def _show_found(self, found: tuple[list[dict[str, Any]], dict[str, Any], dict[str, str]]) -> None:
        results, trace, texts = found
        t = self._page.t
        heading(t("knowledge.found"), level=3)
        if not results:
            empty(t("knowledge.nothing"), t("knowledge.nothing_hint"))
        with tag("ol", classes="results"):
            for result in results:
                with tag("li"):
                    tag("span", t.number(result["score"], digits=3), classes="badge")
                    self._reference(result["content"].get("text", ""), result.get("metadata", {}))
        if trace["stages"]:
            heading(t("knowledge.stages"), level=3)
            text(t("knowledge.stages_hint"), classes="faint small")
        for number, stage in enumerate(trace["stages"], 1):
            self._stage(number, stage, texts)

    def _stage(self, number: int, stage: dict[str, Any], texts: Mapping[str, str]) -> None:
        t = self._page.t
        counted = [f"{t(f'knowledge.{name}_count')} {len(stage[name])}" for name in _CHANGES if stage[name]]
        with box("fold stage", name="details"):
            with tag("summary"):
                tag("span", f"{number}. {stage['stage']}")
                took = f"{t.number(stage['milliseconds'], digits=2)} ms"
                tag("span", " · ".join([took, *counted]), classes="faint small")
            said = ", ".join(f"{name} {value}" for name, value in stage.items() if name not in _FACTS)
            if said:
                text(_cut(said, _LONG), classes="faint small hostile")
            rows = [(t(f"knowledge.{name}_one"), each) for name in _CHANGES for each in stage[name][:_SHOWN]]
            rows = rows or [(f"{place}.", each) for place, each in enumerate(stage["ranking"][:_SHOWN], 1)]
            if not rows:
                return
            with box("table-box", tabindex="0", role="region", aria_label=stage["stage"]):
                with tag("table", classes="table"), tag("tbody"):
                    for word, each in rows:
                        self._way(word, each, texts)

    def _way(self, word: str, each: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        with tag("tr"):
            moved = f" {each['from']} → {each['to']}" if "from" in each else ""
            tag("td", f"{word}{moved}", classes="one-line")
            with tag("td"):
                tag("span", _cut(texts.get(each["chunk"], each["chunk"]), _SHORT), classes="hostile small")
                if each.get("reason"):
                    text(str(each["reason"]), classes="faint small hostile")
            tag("td", self._page.t.number(each["score"], digits=4), classes="number")


def _cut(words: str, most: int) -> str:
    """The beginning of a text.

    >>> _cut("one two", 3), _cut("one", 3)
    ('one …', 'one')
    """
    return words if len(words) <= most else f"{words[:most]} …"

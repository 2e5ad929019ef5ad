"""Text to SQL without a model: words are matched with the schema and the values, and put together by rule.

It does counts, averages, sums, extremes, filters, groups, orders and joins along keys. What it does not understand it
refuses, and says which words.
"""

from __future__ import annotations

import re

from rocamadre.knowledge.sql.drafting import Draft
from rocamadre.knowledge.sql.linking import link, root
from rocamadre.knowledge.sql.types import Database, Schema, Translation
from rocamadre.knowledge.sql.writing import NotUnderstood, write

_SAME = 0.8
_MOST_UNKNOWN = 0.34


class RuleTranslator:
    """See `types.Translator`."""

    def translate(self, question: str, schema: Schema, database: Database) -> Translation:
        """See `Translator.translate`."""
        if (curated := _curated(question, schema)) is not None:
            return Translation(curated, facts={"by": "curated query"})
        mentions = link(question, schema, database)
        unknown = [mention.text for mention in mentions if mention.sort == "unknown"]
        known = [mention for mention in mentions if mention.sort in ("table", "column", "value")]
        if not known:
            return Translation("", "no word of the question names a table, a column or a value of the database")
        named = [word for word in unknown if word[0].isupper() and not question.lstrip("¿¡ \"'").startswith(word)]
        if named:
            return Translation("", f"the database has no value like: {', '.join(named)}")
        if len(unknown) > 1 and len(unknown) / (len(unknown) + len(known)) > _MOST_UNKNOWN:
            return Translation("", f"the database has nothing for: {', '.join(unknown)}")
        try:
            draft = Draft(schema, mentions)
            draft.read()
            sql = write(draft)
        except NotUnderstood as error:
            return Translation("", str(error))
        return Translation(sql, facts={"by": "rules", "unknown": unknown})


def _curated(question: str, schema: Schema) -> str | None:
    """The query of a curated question with nearly the same words and the same numbers."""
    wanted = {root(word) for word in re.findall(r"\w+", question)}
    for each in schema.curated:
        words = {root(word) for word in re.findall(r"\w+", each.question)}
        numbers = [{word for word in found if word.isdigit()} for found in (wanted, words)]
        if numbers[0] == numbers[1] and len(wanted & words) >= _SAME * len(wanted | words):
            return each.sql
    return None

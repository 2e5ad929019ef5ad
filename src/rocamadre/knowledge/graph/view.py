"""The graph as a whole, for people: its names, and what is said between them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rocamadre.knowledge.graph.entities import key_of
from rocamadre.knowledge.graph.relations import Relation, entities_of, relations_of

if TYPE_CHECKING:
    from rocamadre.store.vectors.protocol import VectorStore


@dataclass(frozen=True, slots=True)
class Graph:
    """Names and relations of a knowledge base, or those around one name.

    Attributes:
        entities: With the number of chunks that hold each, most first.
        relations: With the ids of the chunks that say so, most first.
        chunks: Chunks that hold any name.
    """

    entities: tuple[tuple[str, int], ...]
    relations: tuple[tuple[Relation, tuple[str, ...]], ...]
    chunks: int

    def to_json(self) -> dict[str, Any]:
        """For the API."""
        return {
            "chunks": self.chunks,
            "entities": [{"name": name, "chunks": count} for name, count in self.entities],
            "relations": [
                {"source": each.source, "phrase": each.phrase, "target": each.target, "chunks": list(ids)}
                for each, ids in self.relations
            ],
        }


def read_graph(store: VectorStore, *, around: str = "", limit: int = 100) -> Graph:
    """Read the graph out of a store's chunks; a store that holds none gives an empty one.

    Args:
        store: Read whole: seconds for a hundred thousand chunks.
        around: Only this name, those it is related to, and those beside it in a chunk.
        limit: Entities and relations, of each at most so many.
    """
    wanted = key_of(around)
    names: Counter[str] = Counter()
    said: defaultdict[Relation, list[str]] = defaultdict(list)
    chunks = 0
    for row in store.documents():
        for chunk in store.of_document(row.id, data_source=row.data_source):
            found = entities_of(chunk.metadata)
            if not found or chunk.embedding is None or (wanted and wanted not in found):
                continue
            chunks += 1
            names.update(found)
            for relation in relations_of(chunk.metadata):
                if not wanted or wanted in (relation.source, relation.target):
                    said[relation].append(chunk.id)
    ordered = sorted(names.items(), key=lambda item: (-item[1], item[0]))[:limit]
    relations = sorted(said.items(), key=lambda item: (-len(item[1]), item[0]))[:limit]
    return Graph(tuple(ordered), tuple((each, tuple(ids)) for each, ids in relations), chunks)

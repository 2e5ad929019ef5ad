"""Parents in their children's stead."""

from __future__ import annotations

from rocamadre.knowledge.search.state import State


def parents(state: State) -> None:
    """Show a chunk's parent, where it has one, once: at its best child's place."""
    chunks = state.chunks([item.id for item in state.ranking])
    named = {item.id: chunks[item.id].parent for item in state.ranking if item.id in chunks}
    found = state.chunks([parent for parent in dict.fromkeys(named.values()) if parent])
    taken: set[str] = set()
    ranking = []
    for item in state.ranking:
        parent = named.get(item.id, "")
        if parent and parent in taken:
            state.drop(item, f"its parent {parent} is there already")
            continue
        if parent in found:
            taken.add(parent)
            state.shown[item.id] = found[parent]
        ranking.append(item)
    state.ranking = ranking
    if state.shown:
        state.facts["parents"] = {child: parent.id for child, parent in state.shown.items()}

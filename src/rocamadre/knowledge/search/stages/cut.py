"""As many results as were asked for."""

from __future__ import annotations

from rocamadre.knowledge.search.state import State


def cut(state: State) -> None:
    """Leave out what scores too little, then what is beyond the limit."""
    good = []
    for item in state.ranking:
        if item.score < state.settings.least_score:
            state.drop(item, "score")
        else:
            good.append(item)
    for item in good[state.query.limit :]:
        state.drop(item, "limit")
    state.ranking = good[: state.query.limit]
    state.facts["limit"] = state.query.limit

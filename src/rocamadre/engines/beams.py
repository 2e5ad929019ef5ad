"""What every engine says of beam search: how many beams there can be, and what does not go with it."""

from __future__ import annotations

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest, Sampling

MOST_BEAMS = 16


def refuse_beams(sampling: Sampling) -> None:
    """For engines that cannot search.

    Raises:
        InvalidRequest: more than one beam is asked for.
    """
    if (sampling.beams or 1) > 1:
        raise InvalidRequest(
            "beams: this model runs on an engine without beam search, which only the torch engine has; leave beams out"
        )


def check_beams(request: GenerationRequest) -> int:
    """How many beams to search, 1 for none, after checking that nothing contradicts them.

    Raises:
        InvalidRequest: too many, or beside settings that have no meaning in a search.
    """
    sampling = request.sampling
    beams = sampling.beams or 1
    if not 1 <= beams <= MOST_BEAMS:
        raise InvalidRequest(f"beams: {beams} is out of range; 1 to {MOST_BEAMS} beams are searched")
    if beams == 1:
        return 1
    drawn = [name for name in ("temperature", "top_p", "top_k", "min_p") if getattr(sampling, name)]
    drawn = [name for name in drawn if name != "top_p" or sampling.top_p != 1]
    if drawn:
        raise InvalidRequest(
            f"beams: a search keeps the likeliest sequences and draws nothing, so {', '.join(drawn)} would do nothing; "
            "leave them out, or leave beams out"
        )
    if request.logprobs is not None:
        raise InvalidRequest("beams: log-probabilities are not reported by a search; leave logprobs or beams out")
    return beams

from __future__ import annotations

import pytest

from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.ids import request_id, short_id


def test_parts_and_back():
    text = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"
    arn = Arn.parse(text)
    assert (arn.service, arn.region, arn.account) == ("bedrock", "us-east-1", "123456789012")
    assert (arn.kind, arn.id) == ("inference-profile", "us.amazon.nova-lite-v1:0")
    assert str(arn) == text
    assert make_arn("bedrock", "us-east-1", "123456789012", arn.resource) == text


@pytest.mark.parametrize("text", ["", "arn", "arn:aws:bedrock", "x:aws:bedrock:r:a:b", "arn:aws:bedrock:r:a:"])
def test_what_is_no_arn_is_refused(text):
    with pytest.raises(InvalidRequest, match="is not an ARN"):
        Arn.parse(text)


def test_ids_have_their_form_and_differ():
    assert len({short_id() for _ in range(1000)}) == 1000
    assert short_id(5).isalnum()
    assert len(request_id()) == 36
    assert request_id()[14] == "4"

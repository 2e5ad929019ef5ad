from datetime import UTC, datetime, timedelta

import pytest

from rocamadre.core.errors import Conflict
from rocamadre.store.idempotency import AnswerKey, KeptAnswer, find_answer, keep_answer
from rocamadre.store.sql.database import open_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = AnswerKey("123456789012", "us-east-1", "bedrock:CreateGuardrail", "token")


@pytest.fixture
def sql(tmp_path):
    engine = open_database(tmp_path)
    yield engine
    engine.dispose()


def test_a_kept_answer_is_found_for_24_hours(sql):
    answer = KeptAnswer("hash", 202, "application/json", b"{}")
    keep_answer(sql, KEY, answer, NOW)
    assert find_answer(sql, KEY, NOW + timedelta(hours=23)) == answer
    assert find_answer(sql, KEY, NOW + timedelta(hours=25)) is None


@pytest.mark.parametrize("change", [{"account": "1"}, {"region": "x"}, {"operation": "o"}, {"token": "t"}])
def test_answers_of_others_are_invisible(sql, change):
    keep_answer(sql, KEY, KeptAnswer("hash", 202, "application/json", b"{}"), NOW)
    other = AnswerKey(
        **({"account": KEY.account, "region": KEY.region, "operation": KEY.operation, "token": KEY.token} | change)
    )
    assert find_answer(sql, other, NOW) is None


def test_the_first_answer_under_a_token_stays(sql):
    keep_answer(sql, KEY, KeptAnswer("one", 200, "", b"1"), NOW)
    keep_answer(sql, KEY, KeptAnswer("two", 200, "", b"2"), NOW)
    assert find_answer(sql, KEY, NOW).body == b"1"


def test_the_database_is_private_and_opens_again(tmp_path):
    open_database(tmp_path / "home").dispose()
    open_database(tmp_path / "home").dispose()
    assert (tmp_path / "home" / "platform.sqlite").stat().st_mode & 0o077 == 0


def test_an_older_program_refuses_a_newer_store(tmp_path):
    engine = open_database(tmp_path)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version = 99")
    engine.dispose()
    with pytest.raises(Conflict, match="newer Rocamadre"):
        open_database(tmp_path)

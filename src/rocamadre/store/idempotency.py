"""Answers kept for 24 hours, so that a repeated request with the same client token gets the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, ColumnElement, DateTime, Engine, Integer, LargeBinary, String, Table, delete, select
from sqlalchemy.exc import IntegrityError

from rocamadre.store.sql.database import METADATA

KEPT_FOR = timedelta(hours=24)

_answers = Table(
    "idempotent_answer",
    METADATA,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("operation", String, primary_key=True),
    Column("token", String, primary_key=True),
    Column("request_hash", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("content_type", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """Whose token, for which operation (`service:Operation`)."""

    account: str
    region: str
    operation: str
    token: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered.

    Attributes:
        request_hash: Of the request without its token; another hash under the same token is a conflict.
    """

    request_hash: str
    status: int
    content_type: str
    body: bytes


def find_answer(sql: Engine, key: AnswerKey, now: datetime) -> KeptAnswer | None:
    """The answer given under this token in the last 24 hours."""
    query = select(_answers.c.request_hash, _answers.c.status, _answers.c.content_type, _answers.c.body).where(
        *_is(key), _answers.c.created_at > _naive(now - KEPT_FOR)
    )
    with sql.connect() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else KeptAnswer(*row)


def keep_answer(sql: Engine, key: AnswerKey, answer: KeptAnswer, now: datetime) -> None:
    """Keep an answer, and forget those that are too old; the first answer under a token stays."""
    with sql.begin() as connection:
        connection.execute(delete(_answers).where(_answers.c.created_at <= _naive(now - KEPT_FOR)))
    try:
        with sql.begin() as connection:
            connection.execute(
                _answers.insert().values(
                    account=key.account,
                    region=key.region,
                    operation=key.operation,
                    token=key.token,
                    request_hash=answer.request_hash,
                    status=answer.status,
                    content_type=answer.content_type,
                    body=answer.body,
                    created_at=_naive(now),
                )
            )
    except IntegrityError:
        return


def _is(key: AnswerKey) -> tuple[ColumnElement[bool], ...]:
    return (
        _answers.c.account == key.account,
        _answers.c.region == key.region,
        _answers.c.operation == key.operation,
        _answers.c.token == key.token,
    )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)

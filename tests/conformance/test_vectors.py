from __future__ import annotations

import pytest

from rocamadre.testing.vector_suite import VectorSuite


class TestSqlite(VectorSuite):
    @pytest.fixture
    def opener(self, tmp_path):
        return "rocamadre.testing.vector_cases:open_sqlite", [str(tmp_path / "kb")]

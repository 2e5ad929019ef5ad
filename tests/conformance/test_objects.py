from __future__ import annotations

import pytest
from tests.integration.conftest import launch

from rocamadre.cli.process import stop_server
from rocamadre.store.objects.files import FileObjects
from rocamadre.store.objects.remote import RemoteObjects
from rocamadre.testing.object_suite import ObjectSuite


class TestFiles(ObjectSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def objects(cls, tmp_path_factory):
        made = FileObjects(tmp_path_factory.mktemp("home"))
        yield made
        made.close()


class TestRemote(ObjectSuite):
    """Against our own S3, over a socket."""

    @pytest.fixture(scope="class")
    @classmethod
    def objects(cls, tmp_path_factory, checkout):
        home = tmp_path_factory.mktemp("home")
        server, _ = launch(home, checkout)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "testing")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
            patch.setenv("NO_PROXY", "127.0.0.1")
            made = RemoteObjects(server.address, region="us-east-1")
            yield made
            made.close()
        stop_server(home, server)

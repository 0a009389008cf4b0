"""The bad network of other tests is as bad as they say, and no worse."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.faultproxy import FaultProxy

LONG = 30.0  # seconds: for what is to happen, however slow the machine is
MOMENT = 0.2  # seconds: for what is not to happen


class EchoServer:
    """Sends back what it gets. One thread a connection."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.ends = []
        self.ended = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._echo, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _echo(self, connection):
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
                self.ends.append("closed")
            except OSError as error:
                self.ends.append(type(error).__name__)
        self.ended.release()

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(LONG)
            assert not thread.is_alive()


@pytest.fixture
def server():
    server = EchoServer()
    yield server
    server.stop()


@pytest.fixture
def proxy(server):
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy):
    opened = []

    def connect(timeout=LONG):
        connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


def echo(connection, data=b"hello"):
    connection.sendall(data)
    return receive(connection, len(data))


def receive(connection, count):
    got = b""
    while len(got) < count and (more := connection.recv(count - len(got))):
        got += more
    return got


def is_silent(connection):
    connection.settimeout(MOMENT)
    try:
        echo(connection)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(LONG)
    return False


def test_bytes_pass_both_ways_in_order(connect):
    data = bytes(range(256)) * 4096
    client = connect()
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    assert receive(client, len(data)) == data
    sender.join(LONG)


def test_an_orderly_end_is_handed_on(connect, server):
    client = connect()
    assert echo(client) == b"hello"
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    assert server.ended.acquire(timeout=LONG)
    assert server.ends == ["closed"]


@pytest.mark.parametrize("way", ["to_server", "to_client"])
def test_latency_holds_one_way_or_the_other_and_keeps_the_order(connect, proxy, way):
    client = connect()
    echo(client)
    proxy.delay(**{way: MOMENT})
    began = time.monotonic()
    client.sendall(b"first ")
    client.sendall(b"second")
    assert receive(client, 12) == b"first second"
    assert time.monotonic() - began >= MOMENT
    proxy.pass_on()
    assert echo(client) == b"hello"


def test_a_reset_is_seen_on_both_sides_and_new_connections_pass(connect, proxy, server):
    client = connect()
    echo(client)
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert server.ended.acquire(timeout=LONG)
    assert server.ends == ["ConnectionResetError"]
    assert echo(connect()) == b"hello"
    assert (proxy.accepted, proxy.connections) == (2, 1)


def test_refused_are_new_connections_only_and_the_port_comes_back(connect, proxy):
    client = connect()
    echo(client)
    for _ in range(3):
        proxy.refuse()
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            connect()
        assert echo(client) == b"hello"
        proxy.pass_on()
        assert echo(connect()) == b"hello"


def test_a_black_hole_accepts_and_never_answers(connect, proxy, server):
    client = connect()
    echo(client)
    proxy.black_hole()
    assert is_silent(client)
    assert server.ended.acquire(timeout=LONG)
    late = connect()
    assert is_silent(late)
    assert proxy.accepted == 2
    proxy.pass_on()
    assert is_silent(client)  # its stream has a hole, for ever
    assert is_silent(late)
    assert echo(connect()) == b"hello"


def test_half_open_connections_hear_nothing_and_new_ones_pass(connect, proxy, server):
    client = connect()
    echo(client)
    proxy.half_open()
    assert server.ended.acquire(timeout=LONG)
    assert is_silent(client)
    assert echo(connect()) == b"hello"
    proxy.reset()
    with pytest.raises(ConnectionError):
        client.recv(1)


def test_a_connection_is_cut_in_the_midst_of_an_answer(connect, proxy):
    old = connect()
    echo(old)
    proxy.cut_after(7)
    for client in (old, connect()):
        client.sendall(b"0123456789")
        assert receive(client, 7) == b"0123456"
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    proxy.pass_on()
    assert echo(connect()) == b"hello"


def test_where_the_server_is_down_the_client_is_reset():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        FaultProxy(port) as proxy,
        pytest.raises(ConnectionResetError),
        socket.create_connection(("127.0.0.1", proxy.port), timeout=LONG) as client,
    ):
        client.recv(1)


def test_its_thread_and_its_port_end_with_it(server):
    before = threading.active_count()
    with (
        FaultProxy(server.port) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=LONG) as client,
    ):
        echo(client)
        proxy.black_hole()
    assert server.ended.acquire(timeout=LONG)
    assert threading.active_count() <= before + 1  # the server's thread of that connection
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=LONG)

"""A stretch of bad network: a TCP proxy on loopback between a client and a real server.

    with FaultProxy(server.port) as proxy:
        client = connect(proxy.port)
        proxy.black_hole()   # from now on, nobody answers
        proxy.pass_on()      # from now on, new connections are fine

What is said holds from then on, whatever thread says it, and when the call returns it holds. A
connection whose stream has lost bytes is never mended: as in life, it takes a new one.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self

__all__ = ["FaultProxy"]

_CHUNK = 65536  # bytes
_PATIENCE = 60.0  # seconds for the proxy's own thread to do as it is told
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: a close that sends RST


class FaultProxy:
    """Hands bytes on between its ``port`` and that of a server, as well or badly as it is told.

    Its thread runs until ``stop``, or to the end of the ``with`` block.
    """

    def __init__(self, server_port: int, host: str = "127.0.0.1") -> None:
        self._server = (host, server_port)
        self._holder = _bound(host, 0)
        """Keeps the port while nobody listens."""
        self.port: int = self._holder.getsockname()[1]
        self.accepted = 0
        """How many connections there have been, those into a black hole included."""
        self._delays = {"to_server": 0.0, "to_client": 0.0}
        self._swallows = False
        self._cut: int | None = None
        self._connections: set[_Connection] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"fault proxy {self.port}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, and pass everything on."""
        self._thread.start()
        self._do(self._listen)

    def stop(self) -> None:
        """Reset what is connected, and end."""
        try:
            self._do(self._close)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE)
            self._loop.close()

    @property
    def connections(self) -> int:
        """How many are open now; those that went silent count until they are reset."""
        return len(self._connections)

    def pass_on(self) -> None:
        """All is well, for connections to come and for those that have lost nothing."""

        def act() -> None:
            self._delays.update(to_server=0.0, to_client=0.0)
            self._swallows, self._cut = False, None
            for connection in self._connections:
                connection.left = None
            self._listen()

        self._do(act)

    def delay(self, *, to_server: float = 0.0, to_client: float = 0.0) -> None:
        """Everything takes so many seconds longer each way."""
        self._do(lambda: self._delays.update(to_server=to_server, to_client=to_client))

    def reset(self) -> None:
        """The connections that are open end with RST, on both sides."""
        self._do(self._reset)

    def refuse(self) -> None:
        """Nobody listens: new connections are refused. Those that are open stay."""
        self._do(self._refuse)

    def black_hole(self) -> None:
        """Connections are accepted, and nothing comes of them. Those that are open go silent."""

        async def act() -> None:
            self._swallows = True
            await self._silence()

        self._do(act)

    def half_open(self) -> None:
        """The server's side of the open connections is gone, and no client is told."""
        self._do(self._silence)

    def cut_after(self, count: int) -> None:
        """Every connection gets ``count`` more bytes from the server, and is then reset."""

        def act() -> None:
            self._cut = count
            for connection in self._connections:
                connection.left = count

        self._do(act)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _do(self, act: Callable[[], object]) -> None:
        """Have the proxy's own thread do it, and wait until it is done."""

        async def on_loop() -> None:
            done = act()
            if isinstance(done, Coroutine):
                await done

        asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result(_PATIENCE)

    def _listen(self) -> None:
        if self._accepting is None:
            listener = _bound(self._server[0], self.port)
            listener.listen(128)
            self._accepting = self._loop.create_task(self._accept(listener))

    async def _refuse(self) -> None:
        if self._accepting is not None:
            await _end(self._accepting)
            self._accepting = None

    async def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                client, _ = await self._loop.sock_accept(listener)
                self.accepted += 1
                connection = _Connection(client, self._loop, self._delays, self._cut)
                self._connections.add(connection)
                if not self._swallows:
                    connection.begin(self._server, self._connections.discard)

    async def _reset(self) -> None:
        for connection in list(self._connections):
            await connection.reset()
            self._connections.discard(connection)

    async def _silence(self) -> None:
        for connection in list(self._connections):
            await connection.go_silent()

    async def _close(self) -> None:
        await self._refuse()
        await self._reset()
        self._holder.close()


class _Connection:
    """A client's connection, and the one to the server that goes with it."""

    def __init__(
        self,
        client: socket.socket,
        loop: asyncio.AbstractEventLoop,
        delays: dict[str, float],
        left: int | None,
    ) -> None:
        self._client = client
        self._server: socket.socket | None = None
        self._loop = loop
        self._delays = delays
        self.left = left
        """How many bytes the client may still get; None: any number."""
        self._task: asyncio.Task[None] | None = None

    def begin(self, server: tuple[str, int], ended: Callable[[_Connection], None]) -> None:
        self._task = self._loop.create_task(self._live(server, ended))

    async def go_silent(self) -> None:
        """Let go of the server; hold on to the client, and say nothing."""
        if self._task is not None:
            await _end(self._task)
            self._task = None
        if self._server is not None:
            _reset(self._server)
            self._server = None

    async def reset(self) -> None:
        await self.go_silent()
        _reset(self._client)

    async def _live(self, address: tuple[str, int], ended: Callable[[_Connection], None]) -> None:
        self._server = socket.socket()
        self._server.settimeout(0.0)
        try:
            await self._loop.sock_connect(self._server, address)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._hand_on(self._client, self._server, "to_server"))
                both.create_task(self._hand_on(self._server, self._client, "to_client"))
        except* (OSError, _CutError):  # one side is gone, and so is the other
            _reset(self._server)
            _reset(self._client)
            ended(self)
        else:
            self._server.close()
            self._client.close()
            ended(self)

    async def _hand_on(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        """Bytes arrive in order, each as late as was said when it was sent."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._receive(source, queue, way))
            both.create_task(self._send(sink, queue, way))

    async def _receive(
        self, source: socket.socket, queue: asyncio.Queue[tuple[float, bytes]], way: str
    ) -> None:
        data = b"not the end"
        while data:
            data = await self._loop.sock_recv(source, _CHUNK)
            queue.put_nowait((self._loop.time() + self._delays[way], data))

    async def _send(
        self, sink: socket.socket, queue: asyncio.Queue[tuple[float, bytes]], way: str
    ) -> None:
        while True:
            due, data = await queue.get()
            if (ahead := due - self._loop.time()) > 0:
                await asyncio.sleep(ahead)
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            if way == "to_client" and self.left is not None:
                data, enough = data[: self.left], len(data) >= self.left
                self.left -= len(data)
                await self._loop.sock_sendall(sink, data)
                if enough:
                    raise _CutError
            else:
                await self._loop.sock_sendall(sink, data)


class _CutError(Exception):
    """The client has got all the bytes it was to get."""


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket()
    bound.settimeout(0.0)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # the holder has it, too
    bound.bind((host, port))
    return bound


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    connection.close()


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

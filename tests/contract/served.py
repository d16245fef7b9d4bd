"""The application on a port of its own, in a thread with an event loop and a runtime of its own, for clients that are
not of this loop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
import uvloop

from backoffice import api
from backoffice.platform.runtime import Runtime, open_runtime
from backoffice.platform.settings import Settings
from backoffice.platform.web.authenticate import Authenticator


def _application(runtime: Runtime) -> object:
    return api.build(runtime, Authenticator(runtime.db, runtime.peppers, keep=0))


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Its address, until the block ends."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:  # asyncio asks for it before it sets TCP_NODELAY
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        started, faults = threading.Event(), list[BaseException]()
        servers: list[uvicorn.Server] = []

        async def serve() -> None:
            async with open_runtime(settings) as runtime:
                server = uvicorn.Server(api.server_config(settings, _application(runtime)))
                servers.append(server)
                started.set()
                await server.serve(sockets=[listening])

        def run() -> None:
            try:
                uvloop.run(serve())
            except BaseException as error:
                faults.append(error)
            finally:
                started.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        started.wait(30)
        if faults:
            raise faults[0]
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            servers[0].should_exit = True
            thread.join(20)

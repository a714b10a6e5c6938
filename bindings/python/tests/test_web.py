"""The WSGI and ASGI applications under real servers, and inside frameworks."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from wsgiref.validate import validator

import flask
import pytest
import uvicorn
import waitress
from conftest import PATCH, USER
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import deprov.asgi
import deprov.wsgi


@contextlib.contextmanager
def under_waitress(app):
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield int(server.effective_port)
    finally:
        with contextlib.suppress(OSError):  # its own thread closes it, perhaps before it was woken for that
            server.trigger.pull_trigger(server.close)
        thread.join()
        server.task_dispatcher.shutdown()


@contextlib.contextmanager
def under_uvicorn(app):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", loop="asyncio"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def in_flask(engine):
    app = flask.Flask("host")

    @app.get("/")
    def home():
        return "the host's own"

    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/idp": deprov.wsgi.Application(engine)})
    return app


def in_starlette(engine):
    async def home(request):
        return PlainTextResponse("the host's own")

    return Starlette(routes=[Route("/", home), Mount("/idp", app=deprov.asgi.Application(engine))])


SERVED = {
    "waitress": lambda e: (under_waitress(deprov.wsgi.Application(e, operations=True, max_body=10_000)), ""),
    "flask": lambda e: (under_waitress(in_flask(e)), "/idp"),
    "uvicorn": lambda e: (under_uvicorn(deprov.asgi.Application(e, operations=True, max_body=10_000)), ""),
    "starlette": lambda e: (under_uvicorn(in_starlette(e)), "/idp"),
}


class Client:
    def __init__(self, port, prefix, world):
        self.port, self.prefix, self.world = port, prefix, world

    def ask(self, method, target, body=None, token=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            if token is not None:
                headers["Authorization"] = "Bearer " + token
            content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, self.prefix + target, content, headers)
            answer = connection.getresponse()
            return answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def scim(self, method, path, body=None):
        return self.ask(method, self.world.wiki.scim_base_path + path, body, self.world.wiki.scim_token,
                        **{"Content-Type": "application/scim+json"})


@pytest.fixture(params=sorted(SERVED))
def served(request, world):
    server, prefix = SERVED[request.param](world.engine)
    with server as port:
        yield Client(port, prefix, world)


def test_an_idp_provisions_and_removes(served):
    status, headers, body = served.scim("POST", "/Users", {"schemas": [USER], "userName": "ann é@example.com"})
    assert status == 201, body
    assert headers["content-type"].startswith("application/scim+json") and headers["location"]
    id = json.loads(body)["id"]
    status, _, body = served.scim("GET", "/Users?filter=userName%20eq%20%22ann%20%C3%A9@example.com%22")
    assert (status, json.loads(body)["totalResults"]) == (200, 1)
    status, _, body = served.scim("PATCH", f"/Users/{id}", {"schemas": [PATCH], "Operations": [
        {"op": "replace", "value": {"active": False}}]})
    assert status in (200, 204)
    assert served.scim("DELETE", f"/Users/{id}")[::2] == (204, b"")
    assert served.scim("GET", f"/Users/{id}")[0] == 404
    # A slash that is a part of a name stays one: no such user, and no other path.
    assert served.scim("GET", "/Users/a%2Fb%3Fc")[0] == 404
    assert served.ask("GET", served.world.wiki.scim_base_path + "/Users", token="wrong")[0] == 401
    status, _, body = served.scim("HEAD", "/Users")
    assert (status, body) == (200, b"")


def test_the_admin_api_needs_a_principal(served):
    owner = served.world.acme.owner_token
    status, _, body = served.ask("GET", "/api/v1/integrations", token=owner)
    assert status == 200 and json.loads(body)["items"][0]["name"] == "Wiki"
    assert served.ask("GET", "/api/v1/integrations")[0] == 401
    assert served.ask("GET", "/api/v1/integrations", token=served.world.wiki.scim_token)[0] == 401


def test_what_is_not_mounted_is_not_there(served):
    assert served.ask("GET", "/metrics")[0] == (404 if served.prefix else 200)
    assert served.ask("GET", "/api/v2")[0] == 404
    if served.prefix:
        plain = Client(served.port, "", served.world)
        assert plain.ask("GET", "/")[2] == b"the host's own"
        assert plain.scim("GET", "/Users")[0] == 404
    else:
        assert served.ask("GET", "/")[0] == 404
        assert served.scim("POST", "/Users", b"x" * 10_001)[0] == 413


def test_large_answers_are_passed_on_in_pieces(served):
    """And a client that goes away in between ends the work behind them."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("GET", f"{served.prefix}/api/v1/integrations/{served.world.wiki.id}/activity?follow=true",
                       headers={"Authorization": "Bearer " + served.world.acme.owner_token,
                                "Accept": "text/event-stream"})
    answer = connection.getresponse()
    assert answer.status == 200
    told = b""
    while b"integration.created" not in told:
        told += answer.read1(65536)
    served.world.add_user("late")
    while b"user.created" not in told:
        told += answer.read1(65536)
    answer.close()
    connection.close()
    for i in range(20):  # what tells a server that its client has gone: that something is to be sent
        served.world.add_user(f"u{i}")
    assert served.scim("GET", "/Users?count=0")[0] == 200


def test_an_engine_that_is_closed_answers_503(served):
    served.world.engine.close()
    assert served.scim("GET", "/Users")[0] == 503


def test_wsgi_is_kept_to_the_letter(world):
    app = validator(deprov.wsgi.Application(world.engine))
    said = []

    def start_response(status, headers, exc_info=None):
        said.append(status)
        return lambda data: None

    import io
    environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": world.wiki.scim_base_path + "/Users",
               "QUERY_STRING": "count=1", "SERVER_NAME": "x", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
               "HTTP_AUTHORIZATION": "Bearer " + world.wiki.scim_token, "wsgi.version": (1, 0),
               "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
               "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False}
    answer = app(environ, start_response)
    assert b"ListResponse" in b"".join(answer)
    answer.close()
    assert said == ["200 OK"]


def test_an_application_without_endpoints_is_none(world):
    for kind in (deprov.wsgi.Application, deprov.asgi.Application):
        with pytest.raises(ValueError, match="at least one"):
            kind(world.engine, scim=False, admin=False, events=False)

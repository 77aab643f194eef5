"""Everything that is served over HTTP, put together."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import __version__
from gateway.errors import Forbidden, Usage
from gateway.listening import acknowledgement_mode
from gateway.pipeline.own import put_own_resources
from gateway.records.times import moment

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI, Request

    from gateway.api.services import Services
    from gateway.api.traffic import Bounds
    from gateway.instance import Gateway
    from gateway.sections import HttpSettings, UpstreamSettings
    from gateway.smart.upstream import Provider
    from gateway.store.interface import Writer
    from gateway.store.users import UserRow


def application(gateway: Gateway) -> FastAPI:
    """Everything that is served over HTTP."""
    from fastapi import FastAPI

    from gateway.adapters.hl7v2 import http as hl7v2_over_http
    from gateway.api.edge import guard
    from gateway.api.metrics import GatewayMetrics, Sources
    from gateway.api.router import api, short_way
    from gateway.api.services import Limits, Services
    from gateway.api.traffic import Traffic
    from gateway.smart import access
    from gateway.smart.cors import Origins
    from gateway.subscriptions import routes as subscriptions
    from gateway.web import pages
    from gateway.web.launching import Launcher

    store, settings = gateway.store, gateway.settings
    traffic = Traffic(bounds_of(settings.http))
    trail = gateway.trail
    services = Services(
        store=store,
        journey=gateway.journey,
        authenticate=lambda header: traffic.caller(lambda: access.authenticate(header, store.credentials, time.time())),
        identify=gateway.configuration.identify,
        base_url=gateway.base_url,
        key=store.installation_key(),
        audit=trail.add,
        changes=gateway.changes,
        charge=traffic.charge,
        limits=Limits(body=settings.http.max_body),
        feeds=gateway.configuration.feeds,
        profiles=gateway.profiles,
        agencies=frozenset(each.id for each in settings.agency),
        registry=gateway.registry,
        ready=gateway.operations.ready,
    )
    shown = pages.Services(
        store=store,
        now=lambda: moment(gateway.clock()),
        sessions=gateway.sessions,
        audit=trail.add,
        feeds=gateway.configuration.feeds,
        agencies={each.id: each.name for each in settings.agency},
        submit=gateway.journey.submit,
        secure=gateway.base_url.startswith("https:"),
        launcher=Launcher(store, services.fhir_url),
    )
    told = Sources(
        states=gateway.feed_states,
        tallies=lambda: gateway.operations.tallies,
        checks=gateway.operations.ready,
        queue=gateway.journey,
        certificates=lambda: {name: each.ends.timestamp() for name, each in gateway.certificates.items()},
        connections=lambda: gateway.connections,
    )
    gateway.registry.register(GatewayMetrics(told))
    app = FastAPI(title="Care-transition gateway", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(authorization_server(gateway))
    app.include_router(
        hl7v2_over_http.router(
            hl7v2_requests(gateway), admit=hl7v2_senders(services), body_bytes=settings.http.max_body, mode=acknowledgement_mode(settings.feeds())
        )
    )
    app.include_router(subscriptions.serve(services, gateway.dispatcher))
    app.include_router(api(services))
    app.include_router(pages.pages(shown))
    app.router.routes.insert(0, short_way(services))
    guard(app, services.registry, traffic, Origins(store.credentials, time.monotonic))
    return app


def authorization_server(gateway: Gateway) -> APIRouter:
    """The authorization server: discovery, keys, the endpoints that clients ask, and the pages where people let apps in."""
    from fastapi import APIRouter

    from gateway.smart import authorize, discovery, endpoints, entrance, registration, signing, upstream_pages
    from gateway.smart.identity import Issuer
    from gateway.smart.jwks import KeySets
    from gateway.smart.throttle import Throttle

    store, url = gateway.store, gateway.base_url
    signer = signing.Signer(store.signing_keys, time.time)
    issuer = Issuer(url, signer.sign)
    pages = entrance.Entrance(
        store=store,
        key=store.installation_key(),
        fhir_url=issuer.fhir_url,
        clock=time.time,
        audit=gateway.trail.add,
        throttle=Throttle(entrance.FAILURES, entrance.WINDOW, time.time),
        upstream=gateway.settings.smart.upstream.name if gateway.settings.smart.upstream else "",
        secure=url.startswith("https:"),
    )
    routes = APIRouter()
    is_open = gateway.settings.smart.registration != "closed"
    routes.include_router(discovery.router(url, launch=True, registration=is_open))
    if is_open:
        routes.include_router(registration.router(store.credentials, time.time))
    routes.include_router(signing.router(signer))
    routes.include_router(endpoints.router(store.credentials, base_url=url, clock=time.time, key_sets=KeySets(time.time), issuer=issuer))
    routes.include_router(authorize.router(pages))
    if gateway.settings.smart.upstream is not None:
        provider = upstream_of(gateway.settings.smart.upstream, url, store.installation_key())
        routes.include_router(upstream_pages.router(pages, provider, lambda user: gateway.journey.run(partial(_put_practitioner, gateway, user))))
    return routes


def upstream_of(settings: UpstreamSettings, base_url: str, key: bytes) -> Provider:
    """The OpenID provider at which people log in. Raises Usage where its secret cannot be read."""
    from gateway.smart.outbound import Reach
    from gateway.smart.upstream import Provider, Rule, Upstream
    from gateway.smart.upstream_pages import CALLBACK

    try:
        secret = Path(settings.client_secret_file).read_text("utf-8").strip()
    except (OSError, ValueError):
        secret = ""
    if not secret:
        raise Usage("smart.upstream's client_secret_file cannot be read, or is empty", location=Path(settings.client_secret_file).name)
    rules = tuple(Rule(each.claim, each.value, each.role, each.organization) for each in settings.user)
    upstream = Upstream(settings.issuer, settings.client_id, secret, settings.name, rules, settings.scope)
    reach = Reach(loopback=settings.issuer.startswith("http:"), private=True)  # it is the operator's own, not an address that a client chose
    return Provider(upstream, base_url + CALLBACK, key, time.time, reach)


def _put_practitioner(gateway: Gateway, user: UserRow, writer: Writer, now: int) -> None:
    put_own_resources(writer, gateway.configuration, [user])


def bounds_of(settings: HttpSettings) -> Bounds:
    """What is taken at most, as configured."""
    from gateway.api.rates import Rate
    from gateway.api.traffic import Bounds

    return Bounds(
        client=Rate(settings.client_rate, settings.client_burst),
        address=Rate(settings.address_rate, settings.address_burst),
        requests=settings.max_requests,
        requests_of_client=settings.max_client_requests,
    )


def hl7v2_senders(services: Services) -> Callable[[Request], None]:
    """Who may call POST /hl7/v2: a hospital's client, bound to its feeds, or the operator's; with a scope for Bundle."""
    from gateway.smart.access import require

    def admit(request: Request) -> None:
        caller = services.authenticate(request.headers.get("authorization"))
        require(caller, "Bundle", "c")
        if caller.role not in ("hospital", "operator"):
            raise Forbidden("this client is no hospital's", advice="Ask the operator to register it with the role hospital.")
        request.state.client = caller.client
        request.state.feeds = caller.feeds or ((caller.organization,) if caller.role == "hospital" else ())

    return admit


def hl7v2_requests(gateway: Gateway) -> Callable[[bytes, Request], Awaitable[bytes | None]]:
    """What POST /hl7/v2 does with a message of somebody who was admitted: through the journey."""
    from gateway.pipeline import Received

    async def handle(raw: bytes, request: Request) -> bytes | None:
        received = Received("hl7v2", raw, ",".join(request.state.feeds), {"client": request.state.client})

        async def submit() -> bytes:
            return (await asyncio.wrap_future(gateway.journey.submit(received))).answer

        return await gateway.reception.take(raw, request.client.host if request.client else "", submit)

    return handle


@asynccontextmanager
async def serving_http(gateway: Gateway, bound: socket.socket) -> AsyncIterator[None]:
    import uvicorn

    from gateway.http_connections import ConnectionBounds, protocol

    class Server(uvicorn.Server):
        """Leaves signals to whoever runs the gateway."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    settings = gateway.settings.http
    context = gateway.context("http", settings)
    config = uvicorn.Config(
        application(gateway),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        http=protocol(ConnectionBounds(connections=settings.max_connections)),
        ws="none",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=5,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
    )
    config.load()
    config.ssl = context  # uvicorn's own would never read a renewed certificate
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task

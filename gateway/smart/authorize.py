"""The authorization endpoint and its pages: log in, choose a client, say what the app may do.

    GET, POST /oauth/authorize   an app's request
    POST /oauth/login            name and password
    POST /oauth/choose           look for a client, choose one
    POST /oauth/consent          yes or no
    POST /oauth/logout           the end of the login, and of what apps may do while it lasts

Nothing is kept between pages but the login: each form holds the app's request, which is checked again each time, and a token that is good for this
browser, this page and this request alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidRequestError, OAuth2Error
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest
from starlette.concurrency import run_in_threadpool

from gateway.errors import Forbidden, GatewayError, Invalid, NotFound, TooMany
from gateway.privacy.audit import Shown
from gateway.smart import access, apps, authorization, forms, launches, logins, patients, users, words
from gateway.smart.authorization import Asked
from gateway.smart.discovery import AUTHORIZE
from gateway.smart.entrance import Entrance, page, redirected, refused, told
from gateway.smart.logins import LoggedIn
from gateway.smart.patients import Found

LOGIN, CHOOSE, CONSENT, LOGOUT = "/oauth/login", "/oauth/choose", "/oauth/consent", "/oauth/logout"

NOBODY = Found([], all_seen=True, shown=Shown())


def router(entrance: Entrance) -> APIRouter:
    """The pages' routes."""
    routes = APIRouter(include_in_schema=False, default_response_class=Response)

    async def respond(answer: Callable[..., Response], request: HttpRequest, *given: Any) -> Response:
        try:
            return await run_in_threadpool(answer, entrance, request, *given)
        except OAuth2Error as error:
            return told(error, posted=request.method == "POST")
        except GatewayError as error:
            return refused(error)

    async def asked(request: HttpRequest) -> Response:
        async def pairs() -> forms.Pairs:
            return forms.parse(request.url.query) if request.method == "GET" else await forms.read(request)

        try:
            given = await pairs()
        except OAuth2Error as error:
            return told(error)
        return await respond(_asked, request, given)

    def posted(answer: Callable[..., Response]) -> Callable[[HttpRequest], Any]:
        async def endpoint(request: HttpRequest) -> Response:
            try:
                form = await forms.read(request)
            except OAuth2Error as error:
                return told(error)
            return await respond(answer, request, form)

        return endpoint

    routes.add_api_route(AUTHORIZE, asked, methods=["GET", "POST"])
    for path, answer in ((LOGIN, _log_in), (CHOOSE, _choose), (CONSENT, _consent), (LOGOUT, _log_out)):
        routes.add_api_route(path, posted(answer), methods=["POST"])
    return routes


# --- the request ------------------------------------------------------------------------------------------------------


def _asked(entrance: Entrance, request: HttpRequest, pairs: forms.Pairs) -> Response:
    asked = authorization.read(pairs, entrance.credentials, entrance.fhir_url)
    who = entrance.login(request)
    if who is None and request.method == "POST":  # the cookie does not come with another site's form, but with the request that follows
        return redirected(f"{AUTHORIZE}?{asked.text}")
    if who is None or asked.prompt & {"login", "select_account"} or _too_old(asked, who, entrance.now()):
        if "none" in asked.prompt:
            raise asked.refused(LoginRequiredError())
        return _login_page(entrance, request, asked)
    if "none" in asked.prompt:
        raise asked.refused(ConsentRequiredError())
    if not apps.may_use(asked.client, who.user):
        return _login_page(entrance, request, asked, "This app is another organization's: log in as somebody of that organization.", 403)
    if asked.needs_patient:
        return _picker(entrance, asked, who, "")
    return _consent_page(entrance, asked, who, "")


def _too_old(asked: Asked, who: LoggedIn, now: int) -> bool:
    return asked.max_age is not None and now - who.login.at >= asked.max_age


# --- logging in -------------------------------------------------------------------------------------------------------


def _login_page(entrance: Entrance, request: HttpRequest, asked: Asked, refusal: str = "", status: int = 200) -> Response:
    cookie = request.cookies.get(logins.FORM_COOKIE) or access.new_token()
    token = logins.form_token(entrance.key, cookie, LOGIN, asked.text)
    answer = page("login.html", status, asked=asked, token=token, refusal=refusal, upstream=entrance.upstream)
    entrance.set_cookie(answer, logins.FORM_COOKIE, cookie, lax=False)
    return answer


def _log_in(entrance: Entrance, request: HttpRequest, form: forms.Pairs) -> Response:
    said, asked = _of_form(entrance, request, form, LOGIN, request.cookies.get(logins.FORM_COOKIE, ""))
    name, address = said.get("name", ""), request.client.host if request.client else ""
    try:
        entrance.throttle.attempt(user=name, address=address)
    except TooMany as error:
        answer = _login_page(entrance, request, asked, str(error), error.status)
        answer.headers["Retry-After"] = str(int(entrance.throttle.window))
        return answer
    user = users.verified(entrance.credentials.users, name, said.get("password", ""))
    if user is None:
        return _login_page(entrance, request, asked, "Name and password do not go together.", 401)
    entrance.throttle.succeeded("user", name, address=address)
    answer = redirected(f"{AUTHORIZE}?{asked.after_login}", asked)
    entrance.set_cookie(answer, logins.COOKIE, logins.begin(entrance.credentials.users, user, entrance.now()), lax=True)
    return answer


def _log_out(entrance: Entrance, request: HttpRequest, form: forms.Pairs) -> Response:
    _, asked = _of_form(entrance, request, form, LOGOUT, request.cookies.get(logins.COOKIE, ""))
    entrance.credentials.users.log_out(access.digest(request.cookies[logins.COOKIE]))
    return redirected(f"{AUTHORIZE}?{asked.text}", asked)


# --- choosing a client ------------------------------------------------------------------------------------------------


def _picker(entrance: Entrance, asked: Asked, who: LoggedIn, text: str) -> Response:
    recipient = _recipient(asked, who)
    with entrance.store.reading() as reader:
        found = patients.find(reader, recipient, text)
    entrance.disclose(asked, who, found.shown, CHOOSE)
    return page("choose.html", asked=asked, who=who, tokens=entrance.tokens(asked, who, CHOOSE, LOGOUT), text=text, found=found)


def _choose(entrance: Entrance, request: HttpRequest, form: forms.Pairs) -> Response:
    said, asked, who = _within_login(entrance, request, form, CHOOSE)
    if not asked.needs_patient or "patient" not in said:
        return _picker(entrance, asked, who, said.get("find", "")[:100])
    return _consent_page(entrance, asked, who, said["patient"])


def _recipient(asked: Asked, who: LoggedIn) -> str:
    try:
        return access.recipient(who.user.role, who.user.organization)
    except Forbidden:
        raise asked.refused(AccessDeniedError("the user reads no records")) from None


# --- consent ----------------------------------------------------------------------------------------------------------


def _context(entrance: Entrance, asked: Asked, who: LoggedIn, chosen: str) -> tuple[Found, str]:
    """The patient in context and the encounter's id, "" for none that the user may see. Raises where the user may not see the patient: then there is
    no such patient."""
    if asked.launch:
        row = launches.of(entrance.credentials, asked.launch, asked.client, entrance.now())
        if row is None:
            raise asked.refused(InvalidRequestError("the launch is not one of this app, or is over"))
        chosen, encounter = row.patient, row.encounter
    else:
        encounter = ""
    if not chosen:
        return NOBODY, encounter
    with entrance.store.reading() as reader:
        recipient = _recipient(asked, who)
        found = patients.one(reader, recipient, chosen)
        encounter = encounter if patients.is_stay(reader, recipient, encounter, chosen) else ""
    if not found.people and asked.launch:
        raise asked.refused(InvalidRequestError("the launch is not one of this app, or is over"))
    if not found.people:
        raise NotFound("there is no such client")
    return found, encounter


def _consent_page(entrance: Entrance, asked: Asked, who: LoggedIn, chosen: str) -> Response:
    found, _ = _context(entrance, asked, who, chosen)
    entrance.disclose(asked, who, found.shown, CONSENT)
    person = found.people[0] if found.people else None
    lines = [words.line(scope) for scope in asked.scopes]
    tokens = entrance.tokens(asked, who, CONSENT, LOGOUT)
    return page("consent.html", asked=asked, who=who, tokens=tokens, person=person, lines=lines)


def _consent(entrance: Entrance, request: HttpRequest, form: forms.Pairs) -> Response:
    said, asked, who = _within_login(entrance, request, form, CONSENT)
    if said.get("decision") != "allow":
        raise asked.refused(AccessDeniedError())
    found, encounter = _context(entrance, asked, who, said.get("patient", ""))
    if asked.needs_patient and not found.people:
        raise Invalid("no client was chosen", location="patient")
    left = {value for name, value in form if name == "scope"}
    kept = words.kept(asked.scopes, left)
    if all(scope.text in words.ALWAYS for scope in kept):
        raise asked.refused(AccessDeniedError())
    if asked.launch and not entrance.credentials.grants.use_launch(access.digest(asked.launch)):
        raise asked.refused(InvalidRequestError("the launch is not one of this app, or is over"))
    patient = found.people[0].id if found.people else ""
    code = authorization.grant(entrance.credentials, asked, who, kept, patient, encounter, entrance.now())
    return redirected(asked.back(("code", code)), asked)


# --- forms of ours ----------------------------------------------------------------------------------------------------


def _of_form(entrance: Entrance, request: HttpRequest, form: forms.Pairs, place: str, cookie: str) -> tuple[dict[str, str], Asked]:
    """What a form of ours says, and the app's request in it. Raises Forbidden for a form that was not on our own page in this browser."""
    said = dict(form)
    asked = authorization.read(forms.parse(said.get("request", "")), entrance.credentials, entrance.fhir_url)
    if not forms.is_same_origin(request) or not logins.is_form_token(said.get("token", ""), entrance.key, cookie, place, asked.text):
        raise Forbidden("this form was not on a page of ours in this browser", advice="Go back to the app, and begin again.")
    return said, asked


def _within_login(entrance: Entrance, request: HttpRequest, form: forms.Pairs, place: str) -> tuple[dict[str, str], Asked, LoggedIn]:
    said, asked = _of_form(entrance, request, form, place, request.cookies.get(logins.COOKIE, ""))
    who = entrance.login(request)
    if who is None:
        raise Forbidden("you are not logged in any more", advice="Go back to the app, and begin again.")
    if not apps.may_use(asked.client, who.user):
        raise Forbidden("this app is another organization's", advice="Go back to the app, and begin again.")
    return said, asked, who

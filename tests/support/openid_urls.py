"""The addresses of the provider in `openid_server.py`, and what it tells of people."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):  # type: ignore[misc]
    """Tells the name, the address and the groups of a person."""

    oidc_claim_scope = {**OAuth2Validator.oidc_claim_scope, "groups": "profile"}

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        user = request.user
        return {"preferred_username": user.username, "email": user.email, "groups": ["mathematicians"]}


@csrf_exempt
def enter(request: HttpRequest) -> HttpResponse:
    """A login page without a page."""
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return HttpResponse(status=401)
    login(request, user)
    return HttpResponseRedirect(request.GET["next"])


urlpatterns = [
    path("login/", enter),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]

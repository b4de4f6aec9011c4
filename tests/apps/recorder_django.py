"""The recording application in Django, with the middleware that `startproject` puts in for paths."""

import sys

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path as route
from recorder import ROUTES, Reached, WsgiRecorder

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=sys.modules[__name__],
    SECRET_KEY="signs nothing here",
    LOGGING_CONFIG=None,
)


def endpoint(label):
    def reached(request, **_):
        request.environ["recorder.reached"] = Reached(label, request.method)
        return JsonResponse({"route": label})

    return reached


urlpatterns = [
    route(path.removeprefix("/").replace("{rest*}", "<path:rest>").replace("{user}", "<str:user>"), endpoint(label)) for label, path in ROUTES
]
app = WsgiRecorder(get_wsgi_application())

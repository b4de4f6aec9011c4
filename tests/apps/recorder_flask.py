"""The recording application in Flask."""

from flask import Flask, jsonify, request
from recorder import METHODS, ROUTES, Reached, WsgiRecorder

flask = Flask(__name__)


def endpoint(label):
    def reached(**_):
        request.environ["recorder.reached"] = Reached(label, request.method)
        return jsonify(route=label)

    return reached


for label, path in ROUTES:
    rule = path.replace("{rest*}", "<path:rest>").replace("{user}", "<user>")
    flask.add_url_rule(rule, endpoint=path, view_func=endpoint(label), methods=METHODS, provide_automatic_options=False)

app = WsgiRecorder(flask)

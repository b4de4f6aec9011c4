"""A gRPC server without authentication of its own. Messages are plain bytes, so that no code needs to be generated.

It prints `listening on PORT`, then one line for each call that reaches it, and one for each that its client gave up.
"""

import json
import sys
import threading
from concurrent import futures

import grpc

SERVICE = "doorward.test.Greeter"
released = threading.Event()


speaking = threading.Lock()


def say(*words):
    # `print` writes the end of a line for itself, and other threads may come between.
    with speaking:
        print(*words, flush=True)


def metadata(context):
    return [[key, value if isinstance(value, str) else value.hex()] for key, value in context.invocation_metadata()]


def greet(request, context):
    say("call", "Greet", json.dumps(metadata(context)))
    context.send_initial_metadata((("x-first", "before"),))
    context.set_trailing_metadata((("x-last", "after"), ("x-last-bin", b"\x00\xff")))
    return request


def count(request, context):
    """The first of so many messages at once; the others when somebody calls Release."""
    say("call", "Count", json.dumps(metadata(context)))
    released.clear()
    for number in range(int(request)):
        if number == 1:
            released.wait(30)
        yield str(number).encode()
    context.set_trailing_metadata((("x-last", "counted"),))


def release(request, context):
    released.set()
    return b""


def add(requests, context):
    say("call", "Add", json.dumps(metadata(context)))
    return str(sum(len(request) for request in requests)).encode()


def talk(requests, context):
    say("call", "Talk", json.dumps(metadata(context)))
    for request in requests:
        yield request


def fail(request, context):
    say("call", "Fail", json.dumps(metadata(context)))
    context.set_trailing_metadata((("x-last", "failed"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no luck today: 100 % é")


def hang(request, context):
    """Answers nothing, until the client gives up."""
    gone = threading.Event()
    context.add_callback(gone.set)
    say("call", "Hang", json.dumps(metadata(context)))
    gone.wait(30)
    say("gone", "Hang")
    return b""


handlers = {
    "Greet": grpc.unary_unary_rpc_method_handler(greet),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Release": grpc.unary_unary_rpc_method_handler(release),
    "Add": grpc.stream_unary_rpc_method_handler(add),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Hang": grpc.unary_unary_rpc_method_handler(hang),
}

if __name__ == "__main__":
    server = grpc.server(futures.ThreadPoolExecutor(32))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    say("listening on", server.add_insecure_port("127.0.0.1:0"))
    server.start()
    sys.exit(server.wait_for_termination())

"""Requests that two servers could read differently are refused, and the application sees nothing of them."""

import pytest
from wire import exchange, lines

BODY = b"5\r\nhello\r\n0\r\n\r\n"
ODD = {
    "length and encoding": (lines("POST /public/x HTTP/1.1", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked", body=BODY), 400),
    "two encodings": (lines("POST /public/x HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked", body=BODY), 400),
    "two lengths": (lines("POST /public/x HTTP/1.1", "Host: a", "Content-Length: 5", "Content-Length: 5", body=b"hello"), 400),
    "length and encoding at an endpoint": (lines("POST /token HTTP/1.1", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked", body=BODY), 400),
    "fragment in the query": (lines("GET /public/x?a#/../b HTTP/1.1", "Host: a"), 400),
    "Connection names Host": (lines("GET /public/x HTTP/1.1", "Host: a", "Connection: Host"), 400),
    "TRACE": (lines("TRACE /public/x HTTP/1.1", "Host: a"), 405),
}


@pytest.mark.parametrize("name", ODD)
def test_refused(name, start, shop):
    doorward = start(shop.url, {"policy": {"default": "public"}})
    request, status = ODD[name]
    answer = exchange(doorward.public, request, method=request.split(b" ")[0].decode())
    assert answer.status == status
    assert answer.header("Content-Type") == "application/json"
    assert shop.seen() == []
    # What came behind the request is no request, and the next client is served.
    assert doorward.session.get(f"http://{doorward.public}/nothing/here").status_code == 404, "the application's answer"

"""A scripted upstream that speaks HTTP/2 only."""

import h2.config
import h2.connection
import h2.events


class Stream:
    """A request that has arrived whole, and what may be answered."""

    def __init__(self, connection, stream_id, headers, number):
        self.connection, self.id, self.number = connection, stream_id, number
        self.headers, self.body = headers, b""
        self.method, self.target = headers[":method"], headers[":path"]

    def answer(self, body=b"ok", trailers=()):
        self.connection.send_headers(self.id, [(":status", "200"), ("content-type", "text/plain")])
        self.connection.send_data(self.id, body, end_stream=not trailers)
        if trailers:
            self.connection.send_headers(self.id, trailers, end_stream=True)

    def refuse(self, code):
        """Ends the stream with RST_STREAM."""
        self.connection.reset_stream(self.id, error_code=code)

    def leave(self):
        """Says GOAWAY, and that this stream was never begun."""
        self.connection.close_connection(last_stream_id=self.id - 2 if self.id > 2 else 0)

    def __repr__(self):
        return f"<{self.method} {self.target} on stream {self.id} of connection {self.number}>"


def speaks_h2(act):
    """A script for `scripted.Scripted`: each request is recorded when it is whole, and `act(stream)` answers it."""

    def script(peer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        peer.send(connection.data_to_send())
        streams = {}
        while data := peer.socket.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    streams[event.stream_id] = Stream(connection, event.stream_id, dict(event.headers), peer.number)
                elif isinstance(event, h2.events.DataReceived):
                    streams[event.stream_id].body += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    stream = streams.pop(event.stream_id)
                    peer.upstream.note(stream)
                    act(stream)
                elif isinstance(event, h2.events.ConnectionTerminated):
                    return
            peer.send(connection.data_to_send())

    return script

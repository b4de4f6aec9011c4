"""nginx and HAProxy as people put them in front, run by whoever runs the tests, on sockets that are bound already."""

import os
import socket
import subprocess

import children
from recorders import command
from sidecar import DEADLINE, Output

NGINX = """
daemon off;
pid {directory}/nginx.pid;
error_log stderr warn;
worker_processes 1;
{user}
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen {address};
    location / {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      {lines}
    }}
  }}
}}
"""

HAPROXY = """
global
  stats timeout 5s
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind fd@{descriptor}
  {lines}
  default_backend doorward
backend doorward
  {source}
  server one {upstream}
"""


class FrontProxy:
    """A running proxy; `address` (host:port) is where it takes requests."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self.listener.getsockname())

    def run(self, arguments, environment=None):
        # The socket listens from here on: whoever connects early waits until the proxy has started, or learns that it has not.
        self.process = children.start(
            arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            pass_fds=[self.listener.fileno()],
            env=os.environ | (environment or {}),
        )
        self.output = Output(self.process)
        self.listener.close()
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.output.finish()


def nginx(directory, upstream, lines, source=None):
    """`upstream` as for `proxy_pass`; `lines` stand in the location; `source` is the address that it comes from."""
    proxy = FrontProxy(directory)
    bind = [f"proxy_bind {source};"] if source else []
    text = NGINX.format(
        directory=directory,
        address=proxy.address,
        upstream=upstream,
        lines="\n      ".join([*lines, *bind]),
        # Only root may choose, and only root's workers would lose the right to the test's directory.
        user="user root;" if os.geteuid() == 0 else "",
    )
    file = directory / "nginx.conf"
    file.write_text(text)
    arguments = [command("nginx"), "-p", str(directory), "-c", str(file), "-e", "stderr"]
    # The way nginx hands its sockets to its successor.
    return proxy.run(arguments, {"NGINX": f"{proxy.listener.fileno()};"})


def haproxy(directory, upstream, lines, source=None):
    """`upstream` as for `server`; `lines` stand in the frontend."""
    proxy = FrontProxy(directory)
    text = HAPROXY.format(
        descriptor=proxy.listener.fileno(), upstream=upstream, lines="\n  ".join(lines), source=f"source {source}" if source else ""
    )
    file = directory / "haproxy.cfg"
    file.write_text(text)
    return proxy.run([command("haproxy"), "-db", "-f", str(file)])

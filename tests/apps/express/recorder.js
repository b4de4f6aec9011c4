// The recording application in Express: its router ignores case and a final slash unless told otherwise.
"use strict";

const fs = require("node:fs");
const express = require("express");

const routes = JSON.parse(process.env.APP_ROUTES);
const app = express();

app.use((request, response, next) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    request.recorded = Buffer.concat(chunks);
    next();
  });
});

function answer(request, response, status, route) {
  const headers = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    headers.push([request.rawHeaders[at], request.rawHeaders[at + 1]]);
  }
  const line = {
    route,
    method: request.method,
    framework_method: route && request.method,
    target: request.originalUrl,
    headers,
    body: (request.recorded ?? Buffer.alloc(0)).toString("base64"),
    client: request.socket.remoteAddress,
  };
  fs.appendFileSync(process.env.APP_RECORD, JSON.stringify(line) + "\n");
  response.status(status).json({ route });
}

for (const [label, path] of routes) {
  const pattern = path.replace("{rest*}", "*rest").replace("{user}", ":user");
  app.all(pattern, (request, response) => answer(request, response, 200, label));
}
app.use((request, response) => answer(request, response, 404, null));
// Four parameters make it the handler of errors: a path that cannot be decoded comes here.
app.use((error, request, response, next) => answer(request, response, error.status ?? 500, null));

const server = app.listen(0, "127.0.0.1", () => console.log(`running on http://127.0.0.1:${server.address().port}`));

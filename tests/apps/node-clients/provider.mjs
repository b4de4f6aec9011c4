// An OpenID provider as people run them, on the port given, with a listener of its own for what the test wants of it:
//
//   POST /publish?NAME    a new key of each algorithm, from now on the one that signs
//   POST /withdraw?NAME   those keys are gone
//   POST /stop, /start    whether anybody listens
//   POST /fetches         the times, in ms, at which somebody asked for its keys
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const SCOPES = ["items", "items:write"];
const KINDS = {
  RS256: ["rsa", { modulusLength: 2048 }],
  PS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  EdDSA: ["ed25519", {}],
};

// The newest first: it signs.
const published = [];
const fetches = [];
let handle;

function generation(name) {
  const keys = Object.entries(KINDS).map(([alg, [type, options]]) => ({
    ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }),
    alg,
    use: "sig",
  }));
  return { name, keys };
}

// A client asks for `resource=AUDIENCE?alg=ALGORITHM`.
function resourceServer(_context, resource) {
  const alg = new URL(resource).searchParams.get("alg");
  return {
    audience: resource.split("?")[0],
    scope: SCOPES.join(" "),
    accessTokenFormat: "jwt",
    jwt: { sign: { alg } },
  };
}

// A provider reads its keys once: others mean another provider.
function serve() {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "machine",
        client_secret: "known to the tests alone",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: "client_secret_post",
      },
    ],
    cookies: { keys: ["no browser comes here"] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
    },
    jwks: { keys: published.flatMap(({ keys }) => keys) },
    scopes: SCOPES,
    ttl: { ClientCredentials: 900 },
  });
  handle = provider.callback();
}

const server = createServer((request, response) => {
  if (request.url === "/jwks") fetches.push(Date.now());
  handle(request, response);
});

function listen(on, at) {
  return new Promise((resolve, reject) => on.once("error", reject).listen(at, "127.0.0.1", resolve));
}

const commands = {
  publish(name) {
    published.unshift(generation(name));
    serve();
  },
  withdraw(name) {
    published.splice(published.findIndex((one) => one.name === name), 1);
    serve();
  },
  async stop() {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  },
  start: () => server.listening || listen(server, port),
  fetches: () => fetches,
};

const control = createServer(async (request, response) => {
  const [command, name] = request.url.slice(1).split("?");
  response.end(JSON.stringify((await commands[command](name)) ?? null));
});

commands.publish("first");
await listen(server, port);
await listen(control, 0);
console.log(`control on http://127.0.0.1:${control.address().port}`);

// An OpenID provider that people can log in at, on a port of its own choosing; prints its issuer, and runs until it is stopped.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: "assistant", token_endpoint_auth_method: "none", redirect_uris: ["http://127.0.0.1/callback"] }],
    cookies: { keys: ["no browser comes here"] },
    scopes: ["mcp:use"],
  });
  server.on("request", provider.callback());
  console.log(`issuer ${issuer}`);
});

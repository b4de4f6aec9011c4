// What openid-client finds out about an issuer, and what it can do with it: ISSUER ALGORITHM USERNAME PASSWORD.
import * as client from "openid-client";

const [issuer, algorithm, username, password] = process.argv.slice(2);
const config = await client.discovery(new URL(issuer), "web", undefined, client.None(), {
  algorithm,
  execute: [client.allowInsecureRequests],
});
const login = await client.genericGrantRequest(config, "password", { username, password });
const refreshed = await client.refreshTokenGrant(config, login.refresh_token);
await client.tokenRevocation(config, refreshed.refresh_token);
console.log(JSON.stringify({ metadata: config.serverMetadata(), login, refreshed }));

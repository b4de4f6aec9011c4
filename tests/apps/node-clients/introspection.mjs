// What openid-client learns of a token, as a service with a secret and as its user:
// ISSUER METHOD CLIENT SECRET USERNAME PASSWORD SCOPE.
import * as client from "openid-client";

const [issuer, method, id, secret, username, password, scope] = process.argv.slice(2);
const authentication = { basic: client.ClientSecretBasic, post: client.ClientSecretPost }[method];
const config = await client.discovery(new URL(issuer), id, undefined, authentication(secret), {
  execute: [client.allowInsecureRequests],
});
const login = await client.genericGrantRequest(config, "password", { username, password, scope });
const access = await client.tokenIntrospection(config, login.access_token);
const refresh = await client.tokenIntrospection(config, login.refresh_token, { token_type_hint: "refresh_token" });
const user = await client.fetchUserInfo(config, login.access_token, username);
await client.tokenRevocation(config, login.refresh_token);
const revoked = await client.tokenIntrospection(config, login.access_token);
const refused = await client.fetchUserInfo(config, login.access_token, username).catch((error) => [error.status, error.cause?.[0]?.parameters?.error]);
console.log(JSON.stringify({ login, access, refresh, user, revoked, refused }));

// One life of a session through a client library: LIBRARY URL CLIENT-ID SECRET METHOD USERNAME PASSWORD, "" for what there is not.
// Prints what the library gave, and what it said of a wrong password and of a grant that the client may not have.
import * as openid from "openid-client";
import simple from "simple-oauth2";

const [library, url, id, secret, method, username, password] = process.argv.slice(2);

async function openidClient() {
  const methods = { none: openid.None, client_secret_basic: openid.ClientSecretBasic, client_secret_post: openid.ClientSecretPost };
  // Without a method it takes its own default for a client that has a secret.
  const authentication = method === "default" ? undefined : methods[method](secret);
  const server = { issuer: url, token_endpoint: `${url}/token`, revocation_endpoint: `${url}/revoke-token` };
  const config = new openid.Configuration(server, id, secret || undefined, authentication);
  openid.allowInsecureRequests(config);
  const logIn = (typed) => openid.genericGrantRequest(config, "password", { username, password: typed, scope: "me items" });
  const login = await logIn(password);
  const refreshed = await openid.refreshTokenGrant(config, login.refresh_token);
  await openid.tokenRevocation(config, refreshed.refresh_token, { token_type_hint: "refresh_token" });
  return {
    login,
    refreshed,
    wrong: await said(() => logIn("wrong")),
    service: await said(() => openid.clientCredentialsGrant(config, { scope: "items" })),
  };
}

async function simpleOauth2() {
  const options = method === "client_secret_post" ? { authorizationMethod: "body" } : { authorizationMethod: "header" };
  if (method === "loose") options.credentialsEncodingMode = "loose";
  const config = { client: { id, secret }, auth: { tokenHost: url, tokenPath: "/token", revokePath: "/revoke-token" }, options };
  const client = new simple.ResourceOwnerPassword(config);
  const logIn = async (typed) => client.getToken({ username, password: typed, scope: ["me", "items"] });
  const login = await logIn(password);
  const refreshed = await login.refresh();
  await refreshed.revoke("refresh_token");
  return {
    login: login.token,
    refreshed: refreshed.token,
    wrong: await said(() => logIn("wrong")),
    service: await said(async () => (await new simple.ClientCredentials(config).getToken({ scope: "items" })).token),
  };
}

async function said(attempt) {
  try {
    return await attempt();
  } catch (failed) {
    const { error, error_description } = failed.data?.payload ?? failed;
    return { error, error_description };
  }
}

console.log(JSON.stringify(await { "openid-client": openidClient, "simple-oauth2": simpleOauth2 }[library]()));

// Where the client of the MCP SDK is sent to log in when it connects to URL, and what it asked for on the way.
import { extractWWWAuthenticateParams, UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const asked = [];
const seen = { asked };

async function recorded(input, init) {
  const response = await fetch(input, init);
  asked.push([response.status, String(input)]);
  if (response.status === 401) seen.challenge = extractWWWAuthenticateParams(response);
  return response;
}

const authProvider = {
  redirectUrl: "http://127.0.0.1/callback",
  clientMetadata: { redirect_uris: ["http://127.0.0.1/callback"] },
  clientInformation: () => ({ client_id: "assistant" }),
  tokens: () => undefined,
  saveTokens: () => undefined,
  saveCodeVerifier: () => undefined,
  codeVerifier: () => "",
  saveDiscoveryState: (state) => (seen.found = state),
  redirectToAuthorization: (url) => (seen.login = url),
};

const transport = new StreamableHTTPClientTransport(new URL(process.argv[2]), { authProvider, fetch: recorded });
try {
  await new Client({ name: "test", version: "0" }).connect(transport);
} catch (error) {
  if (!(error instanceof UnauthorizedError)) throw error;
}
console.log(JSON.stringify(seen));

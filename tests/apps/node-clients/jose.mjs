// What the package `jose` makes of keys and tokens: a list of tasks in JSON is the argument, their results are printed.
//
//   { pem, alg, kid, typ, claims }   → the signed token
//   { jwks, token, issuer }          → its claims, verified with the keys at the address `jwks`
import { createPrivateKey } from "node:crypto";
import { createRemoteJWKSet, jwtVerify, SignJWT } from "jose";

function sign({ pem, alg, kid, typ, claims }) {
  return new SignJWT(claims).setProtectedHeader({ alg, kid, typ }).sign(createPrivateKey(pem));
}

async function verify({ jwks, token, issuer }) {
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(jwks)), { issuer });
  return payload;
}

const tasks = JSON.parse(process.argv[2]);
console.log(JSON.stringify(await Promise.all(tasks.map((task) => (task.pem ? sign(task) : verify(task))))));

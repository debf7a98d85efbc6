// An identity provider that is just enough for the official clients: one program, known by its id and
// secret, gets tokens for itself (client credentials), signed with a key made at the start.
//
//   node issuer.mjs CLIENT SECRET AUDIENCE      prints its address once it answers
import { createServer } from "node:http";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";

const [client, secret, audience] = process.argv.slice(2);
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const kid = randomUUID();
const LASTS_SECONDS = 300;

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function token(issuer) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: audience, sub: client, client_id: client, iat: now, exp: now + LASTS_SECONDS };
  const text = `${part({ alg: "RS256", typ: "JWT", kid })}.${part(claims)}`;
  return `${text}.${sign("RSA-SHA256", Buffer.from(text), privateKey).toString("base64url")}`;
}

// Id and secret, in the body or in the header, form or JSON: clients differ.
function credentials(request, body) {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? "");
  if (basic) return Buffer.from(basic[1], "base64").toString().split(":").map(decodeURIComponent);
  const isJson = (request.headers["content-type"] ?? "").includes("json");
  const fields = isJson ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body));
  return [fields.client_id, fields.client_secret];
}

const server = createServer((request, response) => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const answer = (status, value) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    switch (new URL(request.url, issuer).pathname) {
      case "/.well-known/openid-configuration":
        return answer(200, { issuer, jwks_uri: `${issuer}/keys`, token_endpoint: `${issuer}/token` });
      case "/keys":
        return answer(200, { keys: [{ ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" }] });
      case "/token": {
        const [id, shown] = credentials(request, body);
        return id === client && shown === secret
          ? answer(200, { access_token: token(issuer), token_type: "Bearer", expires_in: LASTS_SECONDS, scope: "" })
          : answer(401, { error: "invalid_client" });
      }
      default:
        return answer(404, {});
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));

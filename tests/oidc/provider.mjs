// A real OpenID provider on this machine, for the tests; port 0 is any free one. Whoever signs in as NAME is the account
// of that name; what the provider says of accounts comes in as JSON on the command line. What it issues is appended
// to the file `granted`.
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { accounts, client, granted, port } = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(port, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [client],
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["given_name", "family_name", "groups"] },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts[id] }) }),
    cookies: { keys: ["for-tests-only"] },
  });
  provider.on("grant.success", (context) => appendFileSync(granted, `${JSON.stringify(context.body)}\n`));
  server.on("request", provider.callback());
  console.log(issuer);
});

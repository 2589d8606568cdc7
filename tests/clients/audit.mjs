// The audits of graphql-http against a running server. Prints a line of JSON for each.
// node audit.mjs URL BEARER
import { serverAudits } from 'graphql-http';

const [url, bearer] = process.argv.slice(2);
let status = 0;
const fetchFn = async (target, init = {}) => {
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${bearer}`);
  const response = await fetch(target, { ...init, headers });
  status = response.status;
  return response;
};
for (const audit of serverAudits({ url, fetchFn })) {
  const result = await audit.fn();
  console.log(JSON.stringify({ id: audit.id, name: audit.name, result: result.status, reason: result.reason, status }));
}

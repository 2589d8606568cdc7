// Follows receipts with the client of graphql-ws, and loses the connection every few items. Prints `ready` when it
// follows, then the id of each receipt; ends after COUNT of them, with the number of its connections.
// node follow.mjs URL BEARER COUNT
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, bearer, count] = process.argv.slice(2);
let connections = 0;
let cursor = null;
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  // Asked for at each connection: a bearer that was renewed meanwhile is taken.
  connectionParams: () => ({ authorization: `Bearer ${bearer}` }),
  retryAttempts: 100,
  retryWait: async () => {},
  shouldRetry: () => true,
  on: { connected: () => (connections += 1) },
});
const query = `subscription ($after: String) {
  receipts(after: $after) { cursor receipt { id code } gap { since until } }
}`;
// The client sends the same payload again when it connects again: the getter makes it go on from the newest cursor.
const variables = { get after() { return cursor; } };
const ids = [];
for await (const { data, errors } of client.iterate({ query, variables })) {
  if (errors || data.receipts.gap) throw new Error(JSON.stringify({ errors, data }));
  const first = cursor === null;
  cursor = data.receipts.cursor;
  if (first) console.log('ready');
  if (!data.receipts.receipt) continue;
  ids.push(data.receipts.receipt.id);
  console.log(data.receipts.receipt.id);
  if (ids.length >= Number(count)) break;
  if (ids.length % 7 === 0) client.terminate();
}
console.log(`connections ${connections}`);
await client.dispose();

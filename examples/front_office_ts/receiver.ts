// The reference receiver of webhooks in TypeScript: what a front office needs so that it misses nothing and does nothing
// twice. It does what examples/front_office/receiver.py does, which says why.
//
//     npm ci && npm run build
//     BACKOFFICE_API_KEY=bo_sk_test_… node dist/receiver.js http://127.0.0.1:8000 events.jsonl
//
// registers an endpoint for itself (BACKOFFICE_WEBHOOK=we_…,whsec_… names one that is there) and appends each event once,
// as one JSON line. That file is also its memory.

import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

const LARGEST = 64 * 1024; // bytes; a webhook has at most 20 kB
const PATIENCE = 2000; // milliseconds between two looks for holes in the numbers
const NOTHING = "0".repeat(64); // the hash before the first event

interface Digest { day: string; last_sequence: number; hash: string }
interface Event {
  id: string;
  type: string;
  sequence: number;
  test?: true;
  data: { object: { id: string; digest?: Digest } };
}
interface Page { data: Event[]; has_more: boolean }

/** Events, each accepted once and written down before it counts. */
class Inbox {
  readonly ahead = new Map<number, Event>(); // events beyond the first hole, by number
  completeTo = 0; // every number up to this one is here
  provenTo = 0; // the last number a digest proved
  private base = { number: 0, hash: NOTHING }; // of the last digest
  private ids = new Map<number, string>(); // by number, since then

  constructor(private readonly path: string) {
    const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
    for (const line of lines) if (line) this.note(JSON.parse(line) as Event);
  }

  /** `oldest`: those before it are kept nowhere. */
  accept(event: Event, oldest = false): void {
    if (event.sequence > this.completeTo && this.ids.get(event.sequence) !== event.id) {
      appendFileSync(this.path, JSON.stringify(event) + "\n");
      this.note(event);
    }
    if (!oldest || event.sequence <= this.completeTo + 1) return;
    let first = event;
    for (const each of this.ahead.values()) if (each.sequence < first.sequence) first = each;
    console.error(`the events ${this.completeTo + 1}-${first.sequence - 1} are lost`); // tell a person
    this.beginAt(first.sequence);
    this.note(first);
  }

  private note(event: Event): void {
    this.ids.set(event.sequence, event.id);
    this.ahead.set(event.sequence, event);
    if (event.type === "tenant.reset" && !event.test) this.beginAt(event.sequence);
    for (let next: Event | undefined; (next = this.ahead.get(this.completeTo + 1)) !== undefined; ) {
      this.ahead.delete(++this.completeTo);
      const digest = next.data.object.digest;
      if (next.type === "webhook_endpoint.digest" && !next.test && digest) this.check(digest);
    }
  }

  /** Smaller numbers are void and do not come (a test tenant was emptied; ids may come again), or are lost. */
  private beginAt(number: number): void {
    for (const each of this.ahead.keys()) if (each < number) this.ahead.delete(each);
    this.completeTo = number - 1;
    this.base = { number: number - 1, hash: NOTHING };
  }

  private check(digest: Digest): void {
    let { number, hash } = this.base;
    while (++number <= digest.last_sequence) {
      hash = createHash("sha256").update(`${hash}:${number}:${this.ids.get(number)}`).digest("hex");
      this.ids.delete(number);
    }
    this.base = { number: digest.last_sequence, hash: digest.hash }; // the next day is judged by itself
    if (hash === digest.hash) this.provenTo = digest.last_sequence;
    else console.error(`the digest of ${digest.day} differs`); // events were exchanged or left out: tell a person
  }
}

const [api, file] = process.argv.slice(2);
const key = process.env.BACKOFFICE_API_KEY;
if (!api || !file || !key) throw new Error("usage: BACKOFFICE_API_KEY=… node dist/receiver.js <api> <events file>");
const inbox = new Inbox(file);
let [endpoint = "", ...secrets] = (process.env.BACKOFFICE_WEBHOOK ?? "").split(","); // two while a rotation overlaps

async function call<T>(method: string, path: string, body?: object): Promise<T> {
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
  const answer = await fetch(api + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

async function read(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    if ((size += part.length) > LARGEST) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The status to answer with. */
function receive(body: Buffer, headers: Record<string, string>): number {
  for (const secret of secrets) {
    let event: Event;
    try {
      event = new Webhook(secret).verify(body, headers) as Event; // over the raw bytes, before anything is parsed
    } catch {
      continue;
    }
    inbox.accept(event);
    return 204;
  }
  return 401;
}

/** Fetch what did not come. After a long outage this is all there is to do. */
async function backfill(): Promise<void> {
  let page: Page;
  do {
    const path = `/v1/webhook_endpoints/${endpoint}/events?after_sequence=${inbox.completeTo}&limit=100`;
    page = await call<Page>("GET", path);
    page.data.forEach((event, place) => inbox.accept(event, place === 0));
  } while (page.has_more);
}

const server = createServer(async (request, response) => {
  const body = await read(request).catch(() => null);
  const status = body ? receive(body, request.headers as Record<string, string>) : 413;
  response.writeHead(status, { "Content-Length": "0" }).end();
});
server.listen(0, "127.0.0.1", async () => {
  if (!endpoint) {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`;
    const made = await call<{ id: string; secret: string }>("POST", "/v1/webhook_endpoints", { url });
    [endpoint, secrets] = [made.id, [made.secret]]; // shown this once: a real front office keeps it in a vault
  }
  await backfill();
  setInterval(() => void (inbox.ahead.size && backfill().catch(() => undefined)), PATIENCE);
});

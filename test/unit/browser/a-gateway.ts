import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClientIn, type ClientOptions } from '../../../src/browser/client.ts';

interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: unknown;
}

/**
 * A server that gives the answers it was handed, one after the other, and remembers what it was
 * asked.
 */
export async function startAnswering(...answers: Answer[]) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      seen.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      });
      const { status, body, headers } = answers.shift() ?? {
        status: 500,
        body: { title: 'asked more often than expected' },
      };
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(
        body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => {
        resolve();
      });
    });
  return { origin, seen, close };
}

/**
 * One tab: an address, a storage that lives as long as the tab, and the addresses it was sent to. Its
 * clock stands still but for waits.
 */
export function openTab(origin: string, path = '/account') {
  const storage = new Map<string, string>();
  const tab = {
    url: origin + path,
    wentTo: [] as string[],
    popups: [] as string[],
    passkeysRemoved: [] as string[][],
    popupOpens: true,
    now: Date.parse('2026-01-01T00:00:00Z'),
    waited: 0,
  };
  /** Loads the page: a client as a script would make it on every load. */
  const load = (options: ClientOptions = {}) =>
    createClientIn(
      {
        here: () => tab.url,
        navigate: (url) => tab.wentTo.push(url),
        showUrl: (url) => {
          tab.url = url;
        },
        popup: (url) => {
          if (tab.popupOpens) tab.popups.push(url);
          return Promise.resolve(tab.popupOpens);
        },
        passkeyRemoved: (...credential) => tab.passkeysRemoved.push(credential),
        storage: {
          getItem: (key) => storage.get(key) ?? null,
          setItem: (key, value) => storage.set(key, value),
          removeItem: (key) => storage.delete(key),
        },
        fetch,
        pause: (milliseconds, signal) => {
          signal?.throwIfAborted();
          tab.now += milliseconds;
          tab.waited += milliseconds;
          return Promise.resolve();
        },
        now: () => tab.now,
      },
      options,
    );
  return { tab, storage, load };
}

/**
 * Resolves once the tab was sent somewhere, with the address; throws when that has not come within
 * five seconds.
 */
export async function sentAway(tab: { wentTo: string[] }): Promise<URL> {
  for (
    const end = Date.now() + 5000;
    tab.wentTo.length === 0;
    await new Promise((resolve) => setTimeout(resolve, 5))
  ) {
    if (Date.now() > end) throw new Error('the tab was sent nowhere');
  }
  return new URL(tab.wentTo.at(-1) ?? '');
}

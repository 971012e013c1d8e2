import { request } from 'node:http';
import type { Person } from './person.ts';
import { until } from './until.ts';

/** What came over an event stream so far, and whether it ended. */
export interface Told {
  text: string;
  ended: boolean;
  status: number;
  /** Breaks the connection off, as a browser that goes elsewhere does. */
  leave(): void;
}

/** Hangs on the event stream of a person's session as EventSource does, at the gateway or balancer of this address. */
export async function hang(at: string, person: Person): Promise<Told> {
  const told: Told = { text: '', ended: false, status: 0, leave: () => sent.destroy() };
  const cookie = await person.jar.getCookieString(at);
  const sent = request(
    `${at}/auth/events`,
    { headers: { cookie, 'sec-fetch-site': 'same-origin' }, agent: false },
    (answer) => {
      told.status = answer.statusCode ?? 0;
      answer.setEncoding('utf8').on('data', (text: string) => (told.text += text));
      answer.once('end', () => (told.ended = true));
    },
  );
  sent.once('error', () => (told.ended = true)).end();
  await until(() => told.text !== '' || told.ended);
  return told;
}

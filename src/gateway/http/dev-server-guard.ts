import type { IncomingMessage } from 'node:http';
import express from 'express';
import { Failure } from './errors.ts';
import { crossSite, foreign } from './same-origin.ts';

const loopbackName = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/i;
const loopbackAddress = /^(::1|(::ffff:)?127(\.\d{1,3}){3})$/i;
const bodiless = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Why a request or an upgrade must not reach the dev server, or undefined when it may. */
export interface DevServerObjection {
  ofRequest(req: IncomingMessage): Failure | undefined;
  ofUpgrade(req: IncomingMessage): Failure | undefined;
}

/**
 * What a dev server checks for itself and cannot any more behind a gateway that calls it by its own host: the host of the request (a name that was
 * bound to this machine after its page had loaded), the origin of a WebSocket, and that a server of this machine is asked from this machine.
 */
export const devServerObjection = (parts: {
  target: string;
  origin: string;
  trustProxy: string[] | number | undefined;
}): DevServerObjection => {
  const { target, origin, trustProxy } = parts;
  const trusted = express()
    .set('trust proxy', trustProxy ?? false)
    .get('trust proxy fn') as (address: string, hop: number) => boolean;
  const own = new URL(origin);
  const hosts = new Set([
    own.host,
    `${own.hostname}:${own.port === '' ? (own.protocol === 'https:' ? '443' : '80') : own.port}`,
  ]);
  const thisMachineOnly =
    loopbackName.test(own.hostname) && loopbackName.test(new URL(target).hostname);

  const objection = (req: IncomingMessage): Failure | undefined => {
    const { headers, socket } = req;
    const address = socket.remoteAddress ?? '';
    if (thisMachineOnly && !loopbackAddress.test(address))
      return new Failure('forbidden', {
        detail: 'This dev server answers on its own machine only.',
      });
    const forwarded = trusted(address, 0) ? headers['x-forwarded-host'] : undefined;
    const [named] = [forwarded ?? headers.host ?? ''].flat();
    if (named === undefined || !hosts.has((named.split(',')[0] ?? '').trim().toLowerCase()))
      return new Failure('wrong_host', {
        detail: `Open ${origin}: that is where this gateway answers.`,
      });
    return undefined;
  };
  const hasBody = ({ headers }: IncomingMessage): boolean =>
    headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
  const noBody = (): Failure =>
    new Failure('invalid_request', {
      detail: 'This request takes no such body.',
      headers: { Connection: 'close' },
    });

  return {
    ofRequest(req) {
      const coded = (req.headers['transfer-encoding'] ?? 'chunked').toLowerCase() !== 'chunked';
      if (coded || (bodiless.has(req.method ?? '') && hasBody(req))) return noBody();
      return objection(req);
    },
    ofUpgrade(req) {
      if (hasBody(req)) return noBody();
      const wrong = objection(req);
      if (wrong !== undefined) return wrong;
      const reason =
        req.headers.origin === undefined ? 'a WebSocket names its Origin' : foreign(req, origin);
      return reason === undefined ? undefined : crossSite(reason);
    },
  };
};

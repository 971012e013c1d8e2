import { Router } from 'express';

/** `GET /healthz`: this process lives; `GET /readyz`: it can serve, 503 where it cannot. Exact paths, no header decides, nothing is cached. */
export const createHealth = (ready: () => Promise<boolean>): Router => {
  const health = Router();
  health.get(
    '/healthz',
    (_req, res) => void res.set('Cache-Control', 'no-store').json({ status: 'ok' }),
  );
  health.get('/readyz', async (_req, res) => {
    const good = await ready();
    res
      .status(good ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ status: good ? 'ready' : 'not ready' });
  });
  return health;
};

import type { Response } from 'express';

/** Sends the browser on by GET (303 after a change, 302 else), never cached, with an empty body: an address may carry `state`, and a body would repeat it. */
export const redirect = (res: Response, status: 302 | 303, location: string): void => {
  res.statusCode = status;
  res.setHeader('Location', location);
  res.setHeader('Cache-Control', 'no-store');
  res.end();
};

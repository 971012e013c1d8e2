import { join } from 'node:path';
import express, { Router, type RequestHandler } from 'express';
import { isNavigation } from './navigation.ts';

/** Serves a folder as the front end; a navigation to a path without a file gets its `index.html`, so pages may have addresses of their own. */
export const createFront = (root: string): RequestHandler => {
  const router = Router();
  router.use(
    express.static(root, {
      dotfiles: 'ignore',
      redirect: false,
      // Revalidated every time: a new version shows at once, and an unchanged file costs a 304.
      setHeaders: (res) => res.setHeader('Cache-Control', 'no-cache'),
    }),
  );
  router.get('/{*path}', (req, res, next) => {
    if (!isNavigation(req) || /\.[a-z0-9]+$/i.test(req.path)) {
      next();
      return;
    }
    res.set('Cache-Control', 'no-cache').sendFile(join(root, 'index.html'), (error?: Error) => {
      if (error !== undefined && !res.headersSent) next();
    });
  });
  return router;
};

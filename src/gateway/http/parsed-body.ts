import express, { type RequestHandler } from 'express';
import { within } from './deadline.ts';
import { Failure } from './errors.ts';

const bytesAtMost = 16_384;

/**
 * Returns handlers that read a JSON body into `req.body`: of 16 KiB at most, within `ms`
 * milliseconds. Anything else is `unsupported_media_type`, `body_too_large` or `body_timeout`.
 */
export const readJson = (ms: number): readonly RequestHandler[] => [
  function onlyJson(req, _res, next) {
    // A browser's POST without a body says so by a length of 0 and names no type.
    const empty = req.get('content-length') === '0';
    if (!empty && req.is('application/json') === false) throw new Failure('unsupported_media_type');
    next();
  },
  within(ms, express.json({ limit: bytesAtMost })),
];

/**
 * Returns handlers that read a form of 20 flat members at most into `req.body`, with the same
 * bounds; another type of body is `invalid_request`.
 */
export const readForm = (ms: number): readonly RequestHandler[] => [
  function onlyForms(req, _res, next) {
    if (req.is('application/x-www-form-urlencoded') === false)
      throw new Failure('invalid_request', { detail: 'This route takes a form.' });
    next();
  },
  within(ms, express.urlencoded({ extended: false, limit: bytesAtMost, parameterLimit: 20 })),
];

import {
  context,
  isSpanContextValid,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { RequestHandler } from 'express';

const tracer = trace.getTracer('my-account-bff');

/** A server span per request, a child of the caller's where it sent one (W3C Trace Context); without an OpenTelemetry SDK preloaded it costs nothing. */
export const traced: RequestHandler = function traced(req, res, next) {
  const caller = propagation.extract(context.active(), req.headers);
  const span = tracer.startSpan(
    req.method,
    { kind: SpanKind.SERVER, attributes: { 'http.request.method': req.method } },
    caller,
  );
  // Without an SDK it has no name and nobody would see it.
  if (!isSpanContextValid(span.spanContext())) {
    next();
    return;
  }
  res.once('close', () => {
    // The route as a pattern of ours: a path as sent may hold the id of a user's method.
    const { route } = res.locals;
    if (route !== undefined)
      span.updateName(`${req.method} ${route}`).setAttribute('http.route', route);
    span.setAttribute('http.response.status_code', res.statusCode);
    if (res.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  });
  context.with(trace.setSpan(caller, span), next);
};

/** The headers that carry the current span on to the API; none without an SDK, and the caller's own then pass by the allow-list. */
export const spanHeaders = (): Record<string, string> => {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
};

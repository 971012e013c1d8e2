import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { createLog, scrub } from '../../../src/gateway/http/log.ts';

function logged(write: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  write(createLog({ level: 'debug', destination }));
  return lines.join('');
}
const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';

describe('the log', () => {
  test('keeps the fields it knows and drops every other', () => {
    const text = logged((log) => {
      log.info({ method: 'GET', status: 200, headers: { cookie: 'c' }, body: 'b', token: 't', url: '/?code=c' }, 'answered');
    });
    expect(JSON.parse(text)).toEqual({ level: 'info', time: expect.any(String), method: 'GET', status: 200, msg: 'answered' });
  });

  test('shows an error with its causes, without what libraries hang on it, without tokens', () => {
    const cause = Object.assign(new Error(`got ${jwt}`), { code: 'OAUTH', response: { body: 'canary' } });
    const error = Object.assign(new Error('Authorization: Bearer abcdef', { cause }), { config: { secret: 'canary' } });
    const text = logged((log) => {
      log.error({ err: error }, 'failed');
    });
    expect(text).toContain('OAUTH');
    expect(text).toContain('Authorization: [removed]');
    expect(text).not.toContain('canary');
    expect(text).not.toContain(jwt);
    expect(text).not.toContain('abcdef');
  });

  test('one message is one line, whatever is in it', () => {
    const text = logged((log) => {
      log.warn({ reason: 'a\n{"level":"info"}' }, 'b\nc');
    });
    expect(text.trimEnd().split('\n')).toHaveLength(1);
  });

  test.each([
    [`x ${jwt} y`, 'x [removed] y'],
    ['/auth/callback?code=abc&state=def', '/auth/callback?code=[removed]&state=[removed]'],
    ['refresh_token=abc', 'refresh_token=[removed]'],
    ['sealed Fe26.2**05c400ed...', 'sealed [removed]'],
    ['nothing to hide: state of the union', 'nothing to hide: state of the union'],
  ])('scrubs %s', (text, expected) => {
    expect(scrub(text)).toBe(expected);
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
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
      log.info(
        {
          method: 'GET',
          status: 200,
          headers: { cookie: 'c' },
          body: 'b',
          token: 't',
          url: '/?code=c',
        },
        'answered',
      );
    });
    expect(JSON.parse(text)).toEqual({
      level: 'info',
      time: expect.any(String),
      method: 'GET',
      status: 200,
      msg: 'answered',
    });
  });

  test('shows an error with its causes, without what libraries hang on it, without tokens', () => {
    const cause = Object.assign(new Error(`got ${jwt}`), {
      code: 'OAUTH',
      response: { body: 'canary' },
    });
    const error = Object.assign(new Error('Authorization: Bearer abcdef', { cause }), {
      config: { secret: 'canary' },
    });
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

describe('on standard output', () => {
  const start = (work: string) => {
    const file = JSON.stringify(new URL('../../../src/gateway/http/log.ts', import.meta.url).href);
    const program = `import { createLog } from ${file}; const log = createLog(); ${work}`;
    return spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  };

  test('every line arrives, whole and in turn: many, long, in any script, and those of the last moment', async () => {
    const child = start(`
      for (let i = 0; i < 3000; i += 1) log.info({ count: i }, i % 500 === 0 ? '\u20ac'.repeat(9000) : 'caf\u00e9 \u{1f511}');
      process.exit(0);`);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    await once(child, 'close');
    const lines = text.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { count: number }).count)).toEqual(
      Array.from({ length: 3_000 }, (_, i) => i),
    );
    expect(JSON.parse(lines[500] ?? '')).toMatchObject({ msg: '\u20ac'.repeat(9_000) });
    expect(JSON.parse(lines[501] ?? '')).toMatchObject({ msg: 'caf\u00e9 \u{1f511}' });
  });

  test('a warning waits for nothing, and what was said before it comes before it', async () => {
    // The program stands still after the warning, and then is gone without an end: what is not written by then never is.
    const stand = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000)';
    const child = start(
      `log.info({}, 'first'); log.warn({}, 'second'); ${stand}; process.kill(process.pid, 'SIGKILL');`,
    );
    let text = '';
    for await (const part of child.stdout.setEncoding('utf8')) {
      text += String(part);
      if (text.split('\n').length > 2) child.kill('SIGKILL');
    }
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    ).toEqual(['first', 'second']);
  });
});

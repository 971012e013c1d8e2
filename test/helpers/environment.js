import { TestEnvironment } from 'jest-environment-node';

/**
 * Node's own parts (fs, fetch, structuredClone) throw errors of the outer realm, tests and sources see the inner one.
 * Both kinds count as errors here, as they do in a plain process; otherwise libraries take other branches under test than in production.
 */
export default class OneRealmEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of ['Error', 'TypeError', 'RangeError', 'SyntaxError', 'AggregateError']) {
      const inner = this.global[name];
      const outer = globalThis[name];
      const own = Function.prototype[Symbol.hasInstance];
      Object.defineProperty(inner, Symbol.hasInstance, {
        value(candidate) {
          return own.call(this, candidate) || (this === inner && own.call(outer, candidate));
        },
      });
    }
  }
}

// Preloaded by `npm start`: what an earlier start compiled is used from the first file on. Enabled by src/main.ts itself, as for all other commands, it comes too
// late for that very file, and Node loads its whole compiler for TypeScript to strip its types: 50 of some 500 ms. So this file is JavaScript.
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

enableCompileCache(join(homedir(), '.cache', 'my-account-bff'));

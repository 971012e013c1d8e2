import { stripTypeScriptTypes } from 'node:module';

// Types become spaces: lines and columns in a stack trace are the source's own, so no source map is needed.
export default { process: (source) => ({ code: stripTypeScriptTypes(source) }) };

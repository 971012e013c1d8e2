/** Counts the commands that begin in a stream of bytes to Redis: arrays of bulk strings (RESP), in pieces as they come. */
export const createCommandCounter = (): ((piece: Buffer) => number) => {
  let rest = Buffer.alloc(0);
  // Bulk strings of the present command that are still to come.
  let strings = 0;
  return (piece) => {
    let bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let found = 0;
    for (;;) {
      const end = bytes.indexOf('\r\n');
      if (end === -1) break;
      const number = Number(bytes.toString('latin1', 1, end));
      if (strings === 0) {
        found += 1;
        strings = number;
        bytes = bytes.subarray(end + 2);
        continue;
      }
      if (bytes.length < end + 2 + number + 2) break;
      strings -= 1;
      bytes = bytes.subarray(end + 2 + number + 2);
    }
    rest = Buffer.from(bytes);
    return found;
  };
};

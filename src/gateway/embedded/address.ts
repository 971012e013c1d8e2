import { isIPv4, isIPv6 } from 'node:net';

/**
 * An address as it is passed on: one mapped into IPv6 (RFC 4291 section 2.5.5.2) as the IPv4
 * address it is, without a zone.
 */
export const plainAddress = (address: string): string => {
  const [bare = ''] = address.split('%');
  if (!isIPv6(bare)) return bare;
  const groups = groupsOf(bare);
  const mapped = groups.slice(0, 5).every((each) => each === 0) && groups[5] === 0xffff;
  const [high = 0, low = 0] = groups.slice(6);
  return mapped ? [high >> 8, high & 255, low >> 8, low & 255].join('.') : bare;
};

/**
 * Who is counted as one: an IPv4 address, or the /64 of an IPv6 address, which is what one
 * subscriber gets (RFC 6177).
 */
export const attemptsOf = (address: string): string => {
  const plain = plainAddress(address);
  if (isIPv4(plain) || !isIPv6(plain)) return plain;
  return `${groupsOf(plain)
    .slice(0, 4)
    .map((each) => each.toString(16))
    .join(':')}::/64`;
};

// The eight groups of an IPv6 address; URL writes every spelling the same way, its last 32 bits in
// hexadecimal.
const groupsOf = (address: string): number[] => {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const read = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((each) => parseInt(each, 16));
  const [before, after] = [read(head), read(tail ?? '')];
  const zeros = Array.from(
    { length: tail === undefined ? 0 : 8 - before.length - after.length },
    () => 0,
  );
  return [...before, ...zeros, ...after];
};

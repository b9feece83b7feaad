import type { FaultKind } from '#lib/errors.ts';
import { Fault } from '#lib/errors.ts';

/** How much of nft's text a fault repeats, in characters. */
const errorTextLimit = 2000;

const kinds: readonly [words: string, kind: FaultKind, errno?: string][] = [
  ['No such file or directory', 'not-found', 'ENOENT'],
  ['File exists', 'already-exists', 'EEXIST'],
  ['Device or resource busy', 'conflict', 'EBUSY'],
  ['Operation not permitted', 'forbidden', 'EPERM'],
  ['No buffer space available', 'exhausted', 'ENOBUFS'],
  ['Not supported', 'not-implemented', 'EOPNOTSUPP'],
];

/** The fault for nft's error text: what the kernel answered, or bad input. */
export function faultOf(text: string, commands: string): Fault {
  const found = kinds.find(([words]) => text.includes(`Error: ${words}`) || text.includes(`: ${words}`));
  const shown = text.trim() === '' ? `it failed without a reason on: ${commands}` : text.trim();
  const details = found?.[2] === undefined ? {} : { errno: found[2] };
  return new Fault(found?.[1] ?? 'invalid', `nftables: ${shown.slice(0, errorTextLimit)}`, { details });
}

/** A table as `family name`, or `name` of the ip family. */
export function checkTable(table: string): string {
  if (/^((ip|ip6|inet|arp|bridge|netdev) )?[A-Za-z][A-Za-z0-9_./\\-]*$/.test(table)) return table;
  throw new Fault('invalid', `"${table}" is not the name of an nftables table; give family and name, "inet filter"`);
}

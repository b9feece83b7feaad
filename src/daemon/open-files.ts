import { readFileSync } from 'node:fs';

/** What each door may have of the descriptors that this process may open: the rest is for containers, stores and watches. */
const doorShare = 1 / 5;

/** Connections that one door may hold on this host, from the soft limit of open files (which Node raises to the hard one). */
export function connectionsOfDoor(limits: string = readFileSync('/proc/self/limits', 'utf8')): number {
  const open = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return open === undefined || open === 'unlimited' ? Number.MAX_SAFE_INTEGER : Math.max(16, Math.floor(Number(open) * doorShare));
}

/**
 * Connections that were led to a backend which is no more: what address translation decided at their first packet holds
 * for all others, whatever the rules now say.
 */
import { contains, parseCidr, parseIpv4 } from '#lib/ipv4.ts';
import type { ProxyState } from './types.ts';

export interface LedConnection {
  protocol: 'tcp' | 'udp' | 'sctp';
  source: { address: string; port: number };
  /** What the client meant. */
  destination: { address: string; port: number };
  backend: { address: string; port: number };
  /** `new`: the backend has not answered yet; `ending`: what is left of one that ended. */
  phase: 'new' | 'open' | 'ending';
}

/** The part of the kernel that it needs, in the network namespace of the proxy. */
export interface Connections {
  /** Those that are picked are decided anew at their next packet. */
  forget(test: (connection: LedConnection) => boolean): void;
  /** Ends the client's socket, wherever on this machine it is, so that the client learns at once. */
  break(connection: LedConnection): void;
}

/** `frontend backend`, as in the keys and values of the state, of those that a frontend had and has no more. */
export function lostBackends(from: ProxyState, to: ProxyState): Set<string> {
  return new Set([...lostOf(from.backends, to.backends), ...lostOf(from.nodeBackends, to.nodeBackends)]);
}

export function lostOf(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const changed = [...before].filter(([key, backend]) => after.get(key) !== backend);
  if (changed.length === 0) return [];
  const left = new Set([...after].map(([key, backend]) => pairOf(key, backend)));
  return changed.map(([key, backend]) => pairOf(key, backend)).filter((pair) => !left.has(pair));
}

/** Whose answer would come from a backend that is lost: datagrams, and connections that it has not taken yet; what it serves, it may end. */
export function isLost({ protocol, destination, backend, phase }: LedConnection, lost: ReadonlySet<string>): boolean {
  if (protocol === 'tcp' && phase !== 'new') return false;
  const to = `${backend.address} . ${backend.port}`;
  const port = `${protocol} . ${destination.port}`;
  return lost.has(`${destination.address} . ${port} ${to}`) || lost.has(`${port} ${to}`);
}

/** Whether it leads into a range of pods, and is not at its end. */
export function isInto({ backend, phase }: LedConnection, podCidr: string): boolean {
  if (phase === 'ending') return false;
  const [block, address] = [parseCidr(podCidr), parseIpv4(backend.address)];
  return block !== undefined && address !== undefined && contains(block, address);
}

/** A backend's key is its frontend's, and a mark. */
function pairOf(key: string, backend: string): string {
  return `${key.slice(0, key.lastIndexOf(' . '))} ${backend}`;
}

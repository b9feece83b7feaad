import type { Answer } from 'dns-packet';
import type { Clock } from '#lib/clock.ts';
import { forwardQuery } from '#lib/dns/forward.ts';
import { rcodes, writeAnswer, type Query } from '#lib/dns/message.ts';
import type { Endpoint, Network } from '../types.ts';

/** Seconds (Docker's). */
const ttl = 600;

export interface NameScope {
  /** The networks that the asking sandbox is on and whose names it sees. */
  networks(): readonly Network[];
  endpoints(networkId: string): readonly Endpoint[];
  /** What the asking sandbox calls others there by itself. */
  links(networkId: string): Readonly<Record<string, string>>;
  upstreams: readonly string[];
}

/**
 * Answers as Docker's embedded server does (docker.md §6.6): names and aliases of containers on shared networks, also
 * as `<name>.<network>`; their addresses backwards; all else goes to the upstreams, unless every network is internal.
 */
export async function resolveName(query: Query, scope: NameScope, clock: Clock): Promise<Buffer> {
  const { name, type } = query.question;
  const asked = name.toLowerCase().replace(/\.$/, '');
  if (type === 'PTR') {
    const found = pointers(asked, scope);
    if (found.length > 0) return writeAnswer(query, rcodes.noError, found.map((data): Answer => ({ type: 'PTR', name, ttl, data })), { authoritative: true });
  } else {
    const addresses = addressesOf(asked, scope);
    if (addresses.length > 0) {
      const answers = type === 'A' ? addresses.map((data): Answer => ({ type: 'A', name, ttl, data })) : [];
      return writeAnswer(query, rcodes.noError, rotate(answers, query.id), { authoritative: true });
    }
  }
  if (scope.networks().every((n) => n.internal)) return writeAnswer(query, rcodes.nameError, []);
  return forwardQuery(query, scope.upstreams, clock);
}

function addressesOf(asked: string, scope: NameScope): string[] {
  return scope.networks().flatMap((network) => {
    const called = (name: string, wanted: string): boolean => [name, `${name}.${network.name}`].some((n) => n.toLowerCase() === wanted);
    const link = Object.entries(scope.links(network.id)).find(([own]) => called(own, asked));
    const wanted = link?.[1].toLowerCase() ?? asked;
    return scope.endpoints(network.id).filter((e) => e.aliases.some((alias) => called(alias, wanted))).map((e) => e.address);
  });
}

function pointers(asked: string, scope: NameScope): string[] {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(asked);
  if (!match) return [];
  const address = [match[4], match[3], match[2], match[1]].join('.');
  return scope.networks().flatMap((network) =>
    scope.endpoints(network.id).filter((e) => e.address === address && e.aliases[0] !== undefined).map((e) => `${e.aliases[0]}.${network.name}`),
  );
}

/** Spreads the load over several containers of one name. */
function rotate<T>(items: readonly T[], by: number): T[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

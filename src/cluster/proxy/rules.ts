import { lostOf } from './connections.ts';
import { emptyState, firstMark } from './desired.ts';
import type { ProxyPlace, ProxyState } from './types.ts';

/** Elements in one nft command; longer ones are cut, so that no line grows without bound. */
const elementsPerCommand = 500;

/** Clients that are remembered at a time; further ones are picked for at random until some are forgotten. */
const affinityClients = 65_536;

/** Replaces the whole table in one transaction. */
export function wholeTable(table: string, place: ProxyPlace, state: ProxyState): string {
  const base = `table ip ${table} {}\ndelete table ip ${table}\ntable ip ${table} {\n${skeleton(place)}}\n`;
  return base + changes(table, noState, state);
}

export function dropTable(table: string): string {
  return `table ip ${table} {}\ndelete table ip ${table}\n`;
}

/** The transaction that leads from one state to another; '' where they are the same. */
export function changes(table: string, from: ProxyState, to: ProxyState): string {
  const before = chainsOf(from);
  const chains = [...chainsOf(to)].filter((c) => !before.has(c)).sort();
  // chains that nothing uses any more stay: they are few, and soon used again
  return [
    ...chains.map((chain) => chainText(table, chain)),
    ...mapChanges(table, 'backends', from.backends, to.backends),
    ...mapChanges(table, 'node_backends', from.nodeBackends, to.nodeBackends),
    ...mapChanges(table, 'services', verdicts(from.services), verdicts(to.services)),
    ...mapChanges(table, 'node_ports', verdicts(from.nodePorts), verdicts(to.nodePorts)),
    ...mapChanges(table, 'remembered', verdicts(from.remembered), verdicts(to.remembered)),
    ...mapChanges(table, 'node_remembered', verdicts(from.nodeRemembered), verdicts(to.nodeRemembered)),
    ...setChanges(table, 'itself', from.itself, to.itself),
    // what is remembered may lead to a backend that is gone; the others pick anew
    ...(losesRemembered(from, to) ? [`flush map ip ${table} affinity\n`] : []),
  ].join('');
}

const noState = emptyState;

/** Whether a frontend with affinity had a backend that it has no more. */
function losesRemembered(from: ProxyState, to: ProxyState): boolean {
  const lost = (frontends: ReadonlyMap<string, string>, before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): boolean =>
    frontends.size > 0 && lostOf(before, after).some((pair) => frontends.has(pair.split(' ').slice(0, -3).join(' ')));
  return lost(from.remembered, from.backends, to.backends) || lost(from.nodeRemembered, from.nodeBackends, to.nodeBackends);
}

function chainsOf(state: ProxyState): Set<string> {
  return new Set([...state.services.values(), ...state.nodePorts.values(), ...state.remembered.values(), ...state.nodeRemembered.values()]);
}

function verdicts(map: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...map].map(([key, chain]) => [key, `goto ${chain}`]));
}

function chainText(table: string, chain: string): string {
  const count = chain.slice(chain.lastIndexOf('_') + 1);
  const made = `add chain ip ${table} ${chain}\nflush chain ip ${table} ${chain}\n`;
  if (chain.startsWith('remember_')) {
    const connection = 'ip saddr . ct original ip daddr . meta l4proto . ct original proto-dst';
    return `${made}add rule ip ${table} ${chain} meta l4proto { tcp, udp, sctp } update @affinity { ${connection} timeout ${count}s : ip daddr . th dport }\n`;
  }
  const again = chain.includes('sticky_') ? `add rule ip ${table} ${chain} dnat ip to ip saddr . ip daddr . meta l4proto . th dport map @affinity\n` : '';
  const [key, map] = chain.startsWith('node_') ? ['meta l4proto . th dport', 'node_backends'] : ['ip daddr . meta l4proto . th dport', 'backends'];
  return (
    made +
    again +
    `add rule ip ${table} ${chain} meta mark set numgen random mod ${count} offset ${firstMark}\n` +
    `add rule ip ${table} ${chain} dnat ip to ${key} . meta mark map @${map}\n`
  );
}

function mapChanges(table: string, map: string, from: ReadonlyMap<string, string>, to: ReadonlyMap<string, string>): string[] {
  const gone = [...from].filter(([key, value]) => to.get(key) !== value).map(([key]) => key);
  const added = [...to].filter(([key, value]) => from.get(key) !== value).map(([key, value]) => `${key} : ${value}`);
  return [...commands('delete', table, map, gone), ...commands('add', table, map, added)];
}

function setChanges(table: string, set: string, from: ReadonlySet<string>, to: ReadonlySet<string>): string[] {
  return [...commands('delete', table, set, [...from].filter((e) => !to.has(e))), ...commands('add', table, set, [...to].filter((e) => !from.has(e)))];
}

function commands(verb: 'add' | 'delete', table: string, set: string, elements: readonly string[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < elements.length; i += elementsPerCommand) {
    lines.push(`${verb} element ip ${table} ${set} { ${elements.slice(i, i + elementsPerCommand).join(', ')} }\n`);
  }
  return lines;
}

/**
 * What never changes. A packet that still goes to a Service's address when it is filtered found no backend: it is
 * refused at once, so that its sender need not wait.
 */
function skeleton({ serviceCidr, turned }: ProxyPlace): string {
  return `
  map services { type ipv4_addr . inet_proto . inet_service : verdict; }
  map node_ports { type inet_proto . inet_service : verdict; }
  map backends { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }
  map node_backends { type inet_proto . inet_service . mark : ipv4_addr . inet_service; }
  map remembered { type ipv4_addr . inet_proto . inet_service : verdict; }
  map node_remembered { type inet_proto . inet_service : verdict; }
  map affinity { type ipv4_addr . ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; size ${affinityClients}; flags dynamic,timeout; }
  set itself { type ipv4_addr . ipv4_addr; }
  chain dispatch {
    meta l4proto { tcp, udp, sctp } ip daddr . meta l4proto . th dport vmap @services
    meta l4proto { tcp, udp, sctp } fib daddr type local meta l4proto . th dport vmap @node_ports
  }
  chain prerouting { type nat hook prerouting priority dstnat; policy accept; jump dispatch; }
  chain output { type nat hook output priority -100; policy accept; jump dispatch; }
  chain remember {
    type filter hook postrouting priority mangle; policy accept;
    ct state new ct status dnat meta l4proto { tcp, udp, sctp } ct original ip daddr . meta l4proto . ct original proto-dst vmap @remembered
    ct state new ct status dnat meta l4proto { tcp, udp, sctp } meta l4proto . ct original proto-dst vmap @node_remembered
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ct status dnat ip saddr . ip daddr @itself masquerade
${turned ? `    ct status dnat ip saddr ${turned.sources} oifname "${turned.link}" masquerade\n` : ''}  }
  chain forward { type filter hook forward priority -1; policy accept; ip daddr ${serviceCidr} jump refuse; }
  chain local { type filter hook output priority -1; policy accept; ip daddr ${serviceCidr} jump refuse; }
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject with icmp type port-unreachable
  }
`;
}

/**
 * The nftables table of an instance, as text. The rules never change after the table is made; networks and
 * ports are elements of its sets and maps. One table, family `ip`.
 */
export interface BridgeRule {
  bridge: string;
  subnet: string;
  internal: boolean;
  masquerade: boolean;
  /** Reachable from elsewhere on every port, not on published ones alone. */
  open: boolean;
  /** Endpoints may reach each other. */
  connected: boolean;
  /** Endpoints reach each other without passing the host's routing, so an answer would not come back through it. */
  shared: boolean;
}

export interface PortRule {
  /** Empty: every local address. */
  hostIp: string;
  hostPort: number;
  protocol: 'tcp' | 'udp';
  address: string;
  port: number;
}

export interface ElementChange {
  set: string;
  elements: readonly string[];
}

/** What a bridge contributes to each set. */
export function bridgeElements(rule: BridgeRule): ElementChange[] {
  const name = JSON.stringify(rule.bridge);
  const changes: ElementChange[] = [{ set: 'bridges', elements: [name] }];
  if (rule.connected) changes.push({ set: 'within', elements: [`${name} . ${name}`] });
  if (rule.shared) changes.push({ set: 'shared', elements: [`${name} . ${name}`] });
  if (rule.internal) changes.push({ set: 'internal', elements: [name] });
  else if (rule.masquerade) changes.push({ set: 'sources', elements: [rule.subnet] });
  if (rule.open) changes.push({ set: 'open', elements: [name] });
  return changes;
}

export function portElements(rule: PortRule): ElementChange {
  const to = `${rule.address} . ${rule.port}`;
  if (rule.hostIp === '') return { set: 'published', elements: [`${rule.protocol} . ${rule.hostPort} : ${to}`] };
  return { set: 'published_at', elements: [`${rule.hostIp} . ${rule.protocol} . ${rule.hostPort} : ${to}`] };
}

export function addElements(table: string, changes: readonly ElementChange[]): string {
  return changes.map((c) => `add element ip ${table} ${c.set} { ${c.elements.join(', ')} }\n`).join('');
}

export function deleteElements(table: string, changes: readonly ElementChange[]): string {
  return changes.map((c) => `delete element ip ${table} ${c.set} { ${c.elements.join(', ')} }\n`).join('');
}

/** Replaces the whole table in one transaction, so that no packet meets a half-made one. */
export function wholeTable(table: string, networks: readonly ElementChange[], ports: readonly PortRule[]): string {
  const elements = [...networks, ...ports.map(portElements)];
  return `table ip ${table} {}\ndelete table ip ${table}\ntable ip ${table} {\n${sets}${chains}}\n${addElements(table, merged(elements))}`;
}

export function dropTable(table: string): string {
  return `table ip ${table} {}\ndelete table ip ${table}\n`;
}

function merged(changes: readonly ElementChange[]): ElementChange[] {
  const bySet = Map.groupBy(changes, (change) => change.set);
  return [...bySet].map(([set, all]) => ({ set, elements: [...new Set(all.flatMap((change) => change.elements))] }));
}

const sets = `
  set bridges { type ifname; }
  set within { type ifname . ifname; }
  set shared { type ifname . ifname; }
  set internal { type ifname; }
  set open { type ifname; }
  set sources { type ipv4_addr; flags interval; }
  set itself { type ipv4_addr . ipv4_addr; }
  map published { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map published_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
`;

const publish = `
    meta l4proto { tcp, udp } fib daddr type local dnat ip to ip daddr . meta l4proto . th dport map @published_at
    meta l4proto { tcp, udp } fib daddr type local dnat ip to meta l4proto . th dport map @published
`;

// `redirects`: where endpoints are kept apart, the host must not tell them of the short way.
// `guard`: published ports on 127.0.0.1 need route_localnet on the bridges, which by itself would let a
// container speak to the host's loopback address.
const chains = `
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
${publish}  }
  chain output {
    type nat hook output priority -100; policy accept;
${publish}  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    ct status dnat accept
    iifname . oifname @within accept
    iifname @internal drop
    oifname @internal drop
    iifname @bridges oifname @bridges drop
    oifname @open accept
    oifname @bridges drop
  }
  chain redirects {
    type filter hook output priority filter; policy accept;
    oifname @bridges icmp type redirect drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ct status dnat ip saddr . ip daddr @itself masquerade
    ct status dnat iifname . oifname @shared masquerade
    ip saddr 127.0.0.0/8 oifname @bridges masquerade
    ip saddr @sources oifname != @bridges masquerade
  }
`;

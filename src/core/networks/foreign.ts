/**
 * Other firewalls on the host. Where Docker's (or an administrator's) drops what is forwarded and not named, an accept
 * in a table of our own does not help: a packet passes every table. So the instance's bridges are named in theirs too;
 * what may pass between them is still ours to say. Rules of the legacy iptables kernel interface cannot be seen here.
 */
import type { Nftables } from '#sys/nft/types.ts';

const table = 'ip filter';
const chain = 'FORWARD';

/** What nft says of a table, as far as it is read. */
interface Listing {
  nftables?: readonly { chain?: { name?: string; policy?: string }; rule?: { chain?: string; handle?: number; comment?: string } }[];
}

/** Lets links whose names begin with a prefix through a `filter` table that drops by default. Idempotent. */
export function acceptForwarding(nft: Nftables, prefix: string, path?: string): void {
  const drops = listing(nft, path).some((item) => item.chain?.name === chain && item.chain.policy === 'drop');
  if (!drops || ours(nft, prefix, path).length > 0) return;
  const rule = (side: string): string => `insert rule ${table} ${chain} ${side} "${prefix}*" accept comment "${commentOf(prefix)}"\n`;
  nft.run(rule('iifname') + rule('oifname'), path);
}

/** Takes the rules back. */
export function forgetForwarding(nft: Nftables, prefix: string, path?: string): void {
  const handles = ours(nft, prefix, path);
  if (handles.length > 0) nft.run(handles.map((handle) => `delete rule ${table} ${chain} handle ${handle}\n`).join(''), path);
}

function ours(nft: Nftables, prefix: string, path: string | undefined): number[] {
  const rules = listing(nft, path).flatMap((item) => item.rule ?? []);
  return rules.flatMap((r) => (r.chain === chain && r.comment === commentOf(prefix) && r.handle !== undefined ? r.handle : []));
}

function commentOf(prefix: string): string {
  return `gantry ${prefix}`;
}

function listing(nft: Nftables, path: string | undefined): NonNullable<Listing['nftables']> {
  return (nft.list(table, path) as Listing | undefined)?.nftables ?? [];
}

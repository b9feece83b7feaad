/**
 * The names of tables by nf_tables netlink: `list tables` of libnftables 1.0.6 reads every set and rule first,
 * which takes 0.1 s where a map has 10,000 elements.
 */
import { decodeAttributes, textOf } from '../netlink/codec.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/socket.ts';

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETTABLE = 1;
const NFTA_TABLE_NAME = 1;
/** struct nfgenmsg: family, version, resource. */
const headerSize = 4;
const families: Readonly<Record<number, string>> = { 1: 'inet', 2: 'ip', 3: 'arp', 5: 'netdev', 7: 'bridge', 10: 'ip6' };

/** As `family name`, of the present network namespace. */
export function tableNames(): string[] {
  const socket = new NetlinkSocket(NETLINK_NETFILTER);
  try {
    const messages = socket.dump((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE, Buffer.alloc(headerSize), 'list nftables tables');
    return messages.map(({ payload }) => {
      const name = textOf(decodeAttributes(payload.subarray(headerSize)).get(NFTA_TABLE_NAME));
      return `${families[payload[0] ?? 0] ?? payload[0]} ${name}`;
    });
  } finally {
    socket.close();
  }
}

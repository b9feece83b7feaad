import { createHash } from 'node:crypto';
import { Fault } from '#lib/errors.ts';

/** The kernel's limit on the name of a link, in characters (IFNAMSIZ less its final zero). */
export const maxLinkName = 15;

/**
 * The names that an instance gives to links and tables. All begin with its tag, so two instances on one host
 * never meet, and what an instance left behind can be told from everything else.
 */
export interface LinkNames {
  tag: string;
  defaultBridge: string;
  /** For a bridge, of its network's id. */
  bridge(networkId: string): string;
  /** For the host's end of a veth pair, of its endpoint's id. */
  hostEnd(endpointId: string): string;
  /** Whether a link of this name was made by this instance. */
  isBridge(name: string): boolean;
  isHostEnd(name: string): boolean;
  /** The nftables table, without its family. */
  table: string;
}

export function linkNames(instance: string): LinkNames {
  const tag = instanceTag(instance);
  return {
    tag,
    defaultBridge: `gb${tag}`,
    bridge: (id) => `gb${tag}-${id.slice(0, 6)}`,
    hostEnd: (id) => `gv${tag}-${id.slice(0, 6)}`,
    isBridge: (name) => name === `gb${tag}` || name.startsWith(`gb${tag}-`),
    isHostEnd: (name) => name.startsWith(`gv${tag}-`),
    table: `gantry_${tag}`,
  };
}

/** Six letters or digits that stand for the instance in names of 15 characters. */
function instanceTag(instance: string): string {
  if (/^[a-z0-9]{1,6}$/.test(instance)) return instance;
  return createHash('sha256').update(instance).digest('hex').slice(0, 6);
}

export function checkLinkName(name: string, what: string): void {
  if (/^[a-zA-Z0-9_][a-zA-Z0-9_.-]*$/.test(name) && name.length <= maxLinkName) return;
  throw new Fault('invalid', `${what}: "${name}" is no link name: use up to ${maxLinkName} of a-z, A-Z, 0-9, "_", "." and "-"`);
}

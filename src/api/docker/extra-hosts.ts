/** `ExtraHosts` of containers and `extrahosts` of builds (`--add-host`). */
import { isIP } from 'node:net';
import { Fault } from '#lib/errors.ts';

/** What stands for the host's address on the default bridge. */
export const hostGateway = 'host-gateway';

export interface ExtraHost {
  name: string;
  /** An IP address, or `host-gateway`. */
  address: string;
}

/** `name:address` or `name=address`; IPv6 addresses may be in brackets. `invalid` in Docker's words. */
export function parseExtraHost(entry: string): ExtraHost {
  const [, name, given] = /^([^:=\s]+)[:=](.+)$/.exec(entry) ?? [];
  if (name === undefined || given === undefined) throw new Fault('invalid', `bad format for add-host: "${entry}"`);
  const address = given.replace(/^\[(.*)\]$/, '$1');
  if (address !== hostGateway && isIP(address) === 0) throw new Fault('invalid', `invalid IP address in add-host: "${address}"`);
  return { name, address };
}

/** Lines of /etc/hosts. Without a `gateway`, names of the host's are left out. */
export function extraHostLines(entries: readonly string[], gateway: string | undefined): string[] {
  return entries.map(parseExtraHost).flatMap(({ name, address }) => {
    const meant = address === hostGateway ? gateway : address;
    return meant === undefined ? [] : [`${meant}\t${name}`];
  });
}

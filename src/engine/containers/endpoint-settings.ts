/** Checks what an endpoint is asked to be: each field works or is refused by name. */
import { isIPv4 } from 'node:net';
import type { EndpointSettings } from '#api/docker/networks.ts';
import { Fault } from '#lib/errors.ts';

/** The driver option that names the link inside the container. */
const linkOption = 'com.docker.network.endpoint.ifname';
const linkName = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,14}$/;
const macRule = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

export function checkEndpoint(network: string, settings: EndpointSettings): void {
  const { IPv4Address = '', IPv6Address = '', LinkLocalIPs = [] } = settings.IPAMConfig ?? {};
  const refuse = (what: string): Fault => new Fault('not-implemented', `endpoint on network ${network}: ${what}`);
  if (IPv4Address !== '' && !isIPv4(IPv4Address)) throw new Fault('invalid', `invalid IPv4 address: ${IPv4Address}`);
  if (IPv6Address !== '') throw refuse('IPv6 addresses (--ip6) are not implemented by Gantry');
  if (LinkLocalIPs.length > 0) throw refuse('link-local addresses (--link-local-ip) are not implemented by Gantry');
  if (settings.Links?.length && ['bridge', 'default'].includes(network)) throw refuse('links on the default bridge are not implemented by Gantry; use a network of your own');
  (settings.Links ?? []).forEach(parseLink);
  checkMac(settings.MacAddress ?? '');
  for (const [option, value] of Object.entries(settings.DriverOpts ?? {})) {
    if (option !== linkOption) throw refuse(`the driver option ${option} is not implemented by Gantry`);
    if (!linkName.test(value)) throw new Fault('invalid', `endpoint on network ${network}: ${option}: "${value}" is no link name: use up to 15 of a-z, A-Z, 0-9, "_", "." and "-"`);
  }
}

/** `container` or `container:alias`. */
export function parseLink(link: string): { container: string; alias: string } {
  const [, container, alias] = /^\/?([^:/]+)(?::\/?([^:/]+))?$/.exec(link) ?? [];
  if (container === undefined) throw new Fault('invalid', `bad format for links: ${link}`);
  return { container, alias: alias ?? container };
}

export function checkMac(address: string): void {
  if (address !== '' && !macRule.test(address)) throw new Fault('invalid', `invalid MAC address: ${address}; write it as 02:00:00:00:00:01`);
}

/** What the link is to be called inside; undefined for the next `ethN`. */
export function linkNameOf(settings: EndpointSettings): string | undefined {
  return settings.DriverOpts?.[linkOption];
}

/** Published ports: from PortBindings to what core/networks takes, and back to what inspect shows. */
import type { PortMap } from '#api/docker/host-config.ts';
import type { PublishedPort, PortRequest } from '#core/networks/types.ts';
import { Fault } from '#lib/errors.ts';
import { isIP } from 'node:net';
import { parseExposed } from './merge-config.ts';
import type { ContainerRecord } from './record.ts';

/** What a start publishes; `publishAll` adds a free port for each exposed one that has none. */
export function portRequests(record: Pick<ContainerRecord, 'config' | 'hostConfig'>): PortRequest[] {
  const bindings = record.hostConfig.PortBindings ?? {};
  const requests = Object.entries(bindings).flatMap(([exposed, list]) => {
    const { port, protocol } = parseExposed(exposed);
    return (list?.length ? list : [{}]).map((binding): PortRequest => ({
      containerPort: port,
      protocol: checkProtocol(protocol, exposed),
      hostIp: checkIp(binding.HostIp ?? ''),
      ...hostPorts(binding.HostPort ?? ''),
    }));
  });
  if (!record.hostConfig.PublishAllPorts) return requests;
  for (const exposed of Object.keys(record.config.ExposedPorts ?? {})) {
    const { port, protocol } = parseExposed(exposed);
    if (requests.some((r) => r.containerPort === port && r.protocol === protocol)) continue;
    requests.push({ containerPort: port, protocol: checkProtocol(protocol, exposed), hostIp: '', hostPort: 0 });
  }
  return requests;
}

function checkProtocol(protocol: string, exposed: string): 'tcp' | 'udp' {
  if (protocol === 'tcp' || protocol === 'udp') return protocol;
  throw new Fault('not-implemented', `publishing ${exposed}: ${protocol} is not implemented by Gantry; tcp and udp are`);
}

function checkIp(ip: string): string {
  if (ip !== '' && isIP(ip) === 0) throw new Fault('invalid', `Invalid ip address: ${ip}`);
  return ip;
}

function hostPorts(text: string): { hostPort: number; hostPortEnd?: number } {
  if (text === '') return { hostPort: 0 };
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = match?.[2] === undefined ? first : Number(match[2]);
  if (!match || last > 65535 || last < first) throw new Fault('invalid', `Invalid hostPort: ${text}`);
  return last === first ? { hostPort: first } : { hostPort: first, hostPortEnd: last };
}

/** `NetworkSettings.Ports`: each exposed or published port, null where nothing leads to it. */
export function portMap(record: ContainerRecord, published: readonly PublishedPort[]): PortMap {
  const ports: PortMap = {};
  for (const exposed of Object.keys(record.config.ExposedPorts ?? {})) {
    const { port, protocol } = parseExposed(exposed);
    ports[`${port}/${protocol}`] = null;
  }
  for (const { containerPort, protocol, hostIp, hostPort } of published) {
    const key = `${containerPort}/${protocol}`;
    (ports[key] ??= []).push({ HostIp: hostIp, HostPort: String(hostPort) });
  }
  return ports;
}

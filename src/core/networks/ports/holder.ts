import { closeSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { codeOf, Fault, isFault } from '#lib/errors.ts';
import type { Kernel } from '#sys/types.ts';
import type { PortRequest, PublishedPort } from '../types.ts';

/** Where a published port leads. The address changes when the sandbox leaves the network that it was on. */
export interface PortTarget {
  address: string;
}

/** A published port while this daemon lives: what keeps others off the port, and the way in by IPv6. */
export interface HeldPort {
  port: PublishedPort[];
  /** Closes the sockets, and the connections that are passed on. */
  release(): void;
}

const allIpv4 = '0.0.0.0';
const allIpv6 = '::';

/**
 * Binds a host port, so that no other process has it: a conflict is seen here. IPv4 packets never reach the socket,
 * since the rules lead them on; connections by IPv6 are passed on in user space.
 */
export class PortHolder {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Holds one port of `request` leading to `target`; `conflict` with Docker's text where none is free. */
  async hold(request: PortRequest, target: PortTarget): Promise<HeldPort> {
    const first = request.hostPort ?? 0;
    const last = Math.max(first, request.hostPortEnd ?? first);
    for (let hostPort = first; ; hostPort++) {
      try {
        return await this.#holdOne(request, hostPort, target);
      } catch (error) {
        if (!isFault(error, 'conflict') || hostPort >= last) throw error;
      }
    }
  }

  async #holdOne(request: PortRequest, wanted: number, target: PortTarget): Promise<HeldPort> {
    const { containerPort, protocol } = request;
    const hostIp = request.hostIp || allIpv4;
    if (hostIp.includes(':')) return this.#holdIpv6(request, hostIp, wanted, target);
    const { fd, port } = this.#bind(hostIp, wanted, protocol);
    const published: PublishedPort[] = [{ containerPort, protocol, hostIp, hostPort: port }];
    const proxy = !request.hostIp && protocol === 'tcp' ? await proxyIpv6(allIpv6, port, target, containerPort).catch(() => undefined) : undefined;
    if (proxy) published.push({ containerPort, protocol, hostIp: allIpv6, hostPort: port });
    return {
      port: published,
      release() {
        closeSync(fd);
        proxy?.close();
      },
    };
  }

  async #holdIpv6(request: PortRequest, hostIp: string, wanted: number, target: PortTarget): Promise<HeldPort> {
    const { containerPort, protocol } = request;
    if (protocol === 'udp') throw new Fault('not-implemented', `publishing ${containerPort}/udp on the IPv6 address ${hostIp} is not implemented: publish it on an IPv4 address`);
    const proxy = await proxyIpv6(hostIp, wanted, target, containerPort);
    return { port: [{ containerPort, protocol, hostIp, hostPort: proxy.port }], release: () => proxy.close() };
  }

  #bind(hostIp: string, port: number, protocol: 'tcp' | 'udp'): { fd: number; port: number } {
    try {
      return this.#kernel.namespaces.listen(undefined, protocol, hostIp, port);
    } catch (error) {
      const errno = isFault(error) ? error.details.errno : undefined;
      if (errno === 'EADDRINUSE') throw portTaken(hostIp, port, error);
      if (errno === 'EADDRNOTAVAIL') throw new Fault('invalid', `cannot publish on ${hostIp}: this host has no such address`, { cause: error });
      throw error;
    }
  }
}

/** In Docker's words, which clients look for. */
export function portTaken(hostIp: string, port: number, cause: unknown): Fault {
  return new Fault('conflict', `driver failed programming external connectivity on endpoint: Bind for ${hostIp}:${port} failed: port is already allocated`, { cause });
}

/** Connections at a time through one proxy; further ones are closed at once. */
const proxyConnections = 1024;

interface Proxy {
  port: number;
  close(): void;
}

function proxyIpv6(host: string, port: number, target: PortTarget, containerPort: number): Promise<Proxy> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const onward = connect({ host: target.address, port: containerPort, allowHalfOpen: true });
    for (const [socket, other] of [[client, onward], [onward, client]] as const) {
      open.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => open.delete(socket));
    }
    client.pipe(onward).pipe(client);
  });
  server.maxConnections = proxyConnections;
  const close = (): void => {
    server.close();
    // the container's end may be gone with no farewell: its link is deleted with it
    for (const socket of open) socket.destroy();
  };
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(codeOf(error) === 'EADDRINUSE' ? portTaken(host, port, error) : error));
    server.listen({ host, port, ipv6Only: true }, () => {
      const bound = server.unref().address();
      resolve({ port: typeof bound === 'object' && bound ? bound.port : port, close });
    });
  });
}

import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '../clock.ts';
import { rcodes, withLength, writeAnswer, type Query } from './message.ts';

/** Milliseconds that one upstream has, and how many are asked. */
const upstreamMs = 4_000;
const mostUpstreams = 3;

/**
 * Asks the upstream servers (`address` or `address:port`, in order) and passes the first answer on. One that refuses
 * or fails is passed over; SERVFAIL where none answers.
 */
export async function forwardQuery(query: Query, upstreams: readonly string[], clock: Clock): Promise<Buffer> {
  for (const upstream of upstreams.slice(0, mostUpstreams)) {
    const answer = await ask(query, upstream, clock);
    const rcode = answer === undefined ? undefined : (answer[3] ?? 0) & 0x0f;
    if (answer && rcode !== rcodes.serverFailure && rcode !== rcodes.refused) return answer;
  }
  return writeAnswer(query, rcodes.serverFailure, []);
}

/** By the transport that the client chose: an answer that was too long for UDP is whole by TCP. */
async function ask(query: Query, upstream: string, clock: Clock): Promise<Buffer | undefined> {
  const ended = Promise.withResolvers<Buffer | undefined>();
  const finish = (message: Buffer | undefined): void => {
    if (message === undefined || isAnswer(message, query)) ended.resolve(message);
  };
  const exchange = query.transport === 'tcp' ? askTcp : askUdp;
  const timer = clock.after(upstreamMs, () => finish(undefined));
  const close = exchange(query, parseUpstream(upstream), finish);
  try {
    return await ended.promise;
  } finally {
    timer.cancel();
    close();
  }
}

function isAnswer(message: Buffer, query: Query): boolean {
  return message.length >= 12 && message.readUInt16BE(0) === query.id;
}

type Exchange = (query: Query, to: { address: string; port: number }, finish: (message: Buffer | undefined) => void) => () => void;

const askUdp: Exchange = (query, { address, port }, finish) => {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('error', () => finish(undefined));
  socket.on('message', finish);
  // what cannot be connected says so by the event only where `connect` is given nobody to call
  socket.on('connect', () => socket.send(query.raw, (error) => error && finish(undefined)));
  // connected, so that a closed port is an error at once and nobody else can answer
  socket.connect(port, address);
  return () => socket.close();
};

const askTcp: Exchange = (query, { address, port }, finish) => {
  const socket = connect({ host: address, port });
  let received = Buffer.alloc(0);
  socket.on('error', () => finish(undefined));
  socket.on('close', () => finish(undefined));
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const length = received.length < 2 ? Infinity : received.readUInt16BE(0);
    if (received.length >= 2 + length) finish(received.subarray(2, 2 + length));
  });
  socket.write(withLength(query.raw));
  return () => socket.destroy();
};

function parseUpstream(text: string): { address: string; port: number } {
  const match = /^(\d+\.\d+\.\d+\.\d+):(\d+)$/.exec(text) ?? /^\[(.+)\]:(\d+)$/.exec(text);
  return match ? { address: match[1] ?? '', port: Number(match[2]) } : { address: text, port: 53 };
}

/** The name servers of a resolv.conf's text. */
export function nameServersOf(resolvConf: string): string[] {
  return resolvConf.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
}

/** Where systemd-resolved tells the servers behind its own address. */
export const resolvedConfPath = '/run/systemd/resolve/resolv.conf';

/**
 * The resolv.conf text that holds in other network namespaces too: where the host's own (`main`) names loopback
 * addresses alone, the one of systemd-resolved, if that names any server.
 */
export function resolvConfForOthers(main: string, resolved: string): string {
  const servers = nameServersOf(main);
  const stub = servers.length > 0 && servers.every((server) => /^(127\.|::1$)/.test(server));
  return stub && nameServersOf(resolved).length > 0 ? resolved : main;
}

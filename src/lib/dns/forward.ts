import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../clock.ts';
import { rcodes, type Query, writeAnswer } from './message.ts';

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

function ask(query: Query, upstream: string, clock: Clock): Promise<Buffer | undefined> {
  const { address, port } = parseUpstream(upstream);
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const timer = clock.after(upstreamMs, () => finish(undefined));
    let done = false;
    function finish(answer: Buffer | undefined): void {
      if (done) return;
      done = true;
      timer.cancel();
      socket.close();
      resolve(answer);
    }
    socket.on('error', () => finish(undefined));
    socket.on('message', (message) => {
      if (message.length >= 12 && message.readUInt16BE(0) === query.id) finish(message);
    });
    // connected, so that a closed port is an error at once and nobody else can answer
    socket.connect(port, address, () => socket.send(query.raw, (error) => error && finish(undefined)));
  });
}

function parseUpstream(text: string): { address: string; port: number } {
  const match = /^(\d+\.\d+\.\d+\.\d+):(\d+)$/.exec(text) ?? /^\[(.+)\]:(\d+)$/.exec(text);
  return match ? { address: match[1] ?? '', port: Number(match[2]) } : { address: text, port: 53 };
}

/** The name servers of a resolv.conf's text. */
export function nameServersOf(resolvConf: string): string[] {
  return resolvConf.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
}

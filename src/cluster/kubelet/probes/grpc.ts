/** gRPC health checks (grpc.health.v1.Health/Check) over plain HTTP/2: one small message each way. */
import { connect } from 'node:http2';
import type { Clock } from '#lib/clock.ts';

/** `HealthCheckResponse.ServingStatus` */
const serving = 1;
const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
/** Bytes of an answer that are read; a right one has fewer than ten. */
const answerLimit = 4096;

export interface GrpcResult {
  ok: boolean;
  output: string;
}

export function checkGrpcHealth(clock: Clock, host: string, port: number, service: string, timeoutMs: number): Promise<GrpcResult> {
  return new Promise((resolve) => {
    const session = connect(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
    const end = (result: GrpcResult): void => {
      timer.cancel();
      session.destroy();
      resolve(result);
    };
    const timer = clock.after(timeoutMs, () => end({ ok: false, output: `timeout: failed to connect service "${host}:${port}" within ${timeoutMs / 1000}s: context deadline exceeded` }));
    session.on('error', (error) => end({ ok: false, output: `error: ${error.message}` }));
    const stream = session.request({ ':method': 'POST', ':path': '/grpc.health.v1.Health/Check', 'content-type': 'application/grpc', te: 'trailers', 'user-agent': 'kube-probe/1.36' });
    let answer = Buffer.alloc(0);
    let refusal: string | undefined;
    const look = (headers: NodeJS.Dict<string | string[]>): void => {
      if (headers['grpc-status'] !== undefined && headers['grpc-status'] !== '0') refusal = `rpc error: code = ${String(headers['grpc-status'])} desc = ${String(headers['grpc-message'] ?? '')}`;
    };
    stream.on('response', look).on('trailers', look);
    stream.on('data', (chunk: Buffer) => {
      if (answer.length < answerLimit) answer = Buffer.concat([answer, chunk]);
    });
    stream.on('error', (error) => end({ ok: false, output: `error: ${error.message}` }));
    stream.on('end', () => end(refusal === undefined ? judge(answer) : { ok: false, output: refusal }));
    stream.end(requestOf(service));
  });
}

/** A message of one string field, after gRPC's five bytes: not compressed, length. */
function requestOf(service: string): Buffer {
  const name = Buffer.from(service);
  const body = name.length === 0 ? name : Buffer.concat([Buffer.of(0x0a), varint(name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

function varint(value: number): Buffer {
  return value < 0x80 ? Buffer.of(value) : Buffer.of((value & 0x7f) | 0x80, value >> 7);
}

/** Field 1 is the status; it is left out where it is 0. */
function judge(answer: Buffer): GrpcResult {
  const status = answer.length >= 7 && answer[5] === 0x08 ? answer[6]! : 0;
  return status === serving ? { ok: true, output: '' } : { ok: false, output: `service unhealthy (responded with "${statusNames[status] ?? status}")` };
}

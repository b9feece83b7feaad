import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#lib/clock.ts';
import { checkGrpcHealth } from './grpc.ts';

describe('gRPC health checks', () => {
  /** Answers by the service's name. */
  const answers: Record<string, number> = { '': 1, sick: 2 };
  const server = createServer();
  let port = 0;
  before(async () => {
    server.on('stream', (stream, headers) => {
      assert.equal(headers[':path'], '/grpc.health.v1.Health/Check');
      let body = Buffer.alloc(0);
      stream.on('data', (chunk: Buffer) => (body = Buffer.concat([body, chunk])));
      stream.on('end', () => {
        const status = answers[body.subarray(7).toString()];
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers(status === undefined ? { 'grpc-status': '5', 'grpc-message': 'unknown service' } : { 'grpc-status': '0' }));
        stream.end(status === undefined ? undefined : Buffer.from([0, 0, 0, 0, 2, 8, status]));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  after(() => server.close());

  const check = (service: string, to = port) => checkGrpcHealth(systemClock, '127.0.0.1', to, service, 2000);

  it('succeed only for a service that serves', async () => {
    assert.deepEqual(await check(''), { ok: true, output: '' });
    assert.deepEqual(await check('sick'), { ok: false, output: 'service unhealthy (responded with "NOT_SERVING")' });
    assert.deepEqual(await check('absent'), { ok: false, output: 'rpc error: code = 5 desc = unknown service' });
  });

  it('fail where nobody listens', async () => {
    assert.match((await check('', 1)).output, /ECONNREFUSED/);
  });
});

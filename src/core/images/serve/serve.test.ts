import assert from 'node:assert/strict';
import { after, before, describe, it, test } from 'node:test';
import { mediaTypes } from '#api/oci/image.ts';
import { createHttpTransport } from '#lib/http-client.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { testStore } from '../peers/testing.ts';
import type { TestStore } from '../peers/testing.ts';
import type { Image } from '../types.ts';
import { parseRange } from './range.ts';

onLinuxAsRoot('the read side of the distribution API', () => {
  describe('the read side of the distribution API', () => {
    let store: TestStore;
    let image: Image;
    const send = createHttpTransport();
    before(async () => {
      store = await testStore('serve');
      image = await store.build('localhost:5000/team/app:1', 'text', 100_000);
      await store.images.tag(image.id, 'app');
    });
    after(() => store.end());

    const ask = async (path: string, { method = 'GET', ...headers }: Record<string, string> = {}): Promise<{ status: number; headers: Readonly<Record<string, string | undefined>>; body: Buffer }> => {
      const answer = await send({ method, url: new URL(path, store.peer.url), headers });
      return { status: answer.status, headers: answer.headers, body: Buffer.concat(await Array.fromAsync(answer.body)) };
    };

    it('a manifest by tag and by digest, of the registry that ns names', async () => {
      const { digest, size } = image.manifest;
      for (const path of [`/v2/team/app/manifests/1?ns=localhost:5000`, `/v2/library/app/manifests/latest?ns=docker.io`, `/v2/library/app/manifests/latest`, `/v2/library/app/manifests/${digest}`]) {
        const got = await ask(path);
        assert.deepEqual([got.status, got.headers['docker-content-digest'], got.headers['content-type'], got.body.length], [200, digest, mediaTypes.ociManifest, size], path);
        const head = await ask(path, { method: 'HEAD' });
        assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, String(size), 0]);
      }
      assert.equal((await ask('/v2/')).status, 200);
    });

    it('a blob whole, in ranges, and its size alone', async () => {
      const { digest, size } = image.layers[0]!;
      const path = `/v2/library/app/blobs/${digest}`;
      const whole = await ask(path);
      assert.deepEqual(whole.body, await store.place.content.read(digest));
      const rest = await ask(path, { range: 'bytes=1000-' });
      assert.deepEqual([rest.status, rest.headers['content-range']], [206, `bytes 1000-${size - 1}/${size}`]);
      assert.deepEqual(rest.body, whole.body.subarray(1000));
      const head = await ask(path, { method: 'HEAD' });
      assert.deepEqual([head.status, head.headers['content-length'], head.headers['accept-ranges']], [200, String(size), 'bytes']);
      const beyond = await ask(path, { range: `bytes=${size}-` });
      assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, `bytes */${size}`]);
    });

    it('what is not there, malformed, or a write is refused with the code of the specification', async () => {
      const code = async (path: string, method = 'GET'): Promise<string> => {
        const { status, body } = await ask(path, { method });
        return `${status} ${(JSON.parse(body.toString()) as { errors: { code: string }[] }).errors[0]!.code}`;
      };
      const absent = `sha256:${'0'.repeat(64)}`;
      assert.equal(await code('/v2/library/app/manifests/none'), '404 MANIFEST_UNKNOWN');
      assert.equal(await code(`/v2/library/app/manifests/${absent}`), '404 MANIFEST_UNKNOWN');
      assert.equal(await code(`/v2/library/app/manifests/${image.layers[0]!.digest}`), '404 MANIFEST_UNKNOWN', 'a blob is no manifest');
      assert.equal(await code(`/v2/library/app/blobs/${absent}`), '404 BLOB_UNKNOWN');
      assert.equal(await code('/v2/library/app/blobs/sha256:..%2f..%2fetc'), '400 NAME_INVALID');
      assert.equal(await code('/v2/library/app/blobs/latest'), '400 DIGEST_INVALID');
      assert.equal(await code('/v2/UPPER/manifests/latest'), '400 NAME_INVALID');
      assert.equal(await code('/v2/library/app/tags/list'), '404 NAME_UNKNOWN');
      assert.equal(await code('/v2/library/app/manifests/latest', 'PUT'), '405 UNSUPPORTED');
    });
  });
});

test('ranges, as RFC 9110 has them', () => {
  const table: [string | undefined, ReturnType<typeof parseRange>][] = [
    [undefined, undefined],
    ['bytes=0-', { start: 0, end: 10 }],
    ['bytes=3-5', { start: 3, end: 6 }],
    ['bytes=3-99', { start: 3, end: 10 }],
    ['bytes=-4', { start: 6, end: 10 }],
    ['bytes=-99', { start: 0, end: 10 }],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=5-3', undefined],
    ['bytes=0-1,3-4', undefined],
    ['lines=1-2', undefined],
  ];
  for (const [header, range] of table) assert.deepEqual(parseRange(header, 10), range, header);
});

/** What a push does with answers that no real registry of a test gives: by a transport that has them ready. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ImageConfig } from '#api/oci/image.ts';
import { systemClock } from '#lib/clock.ts';
import type { HttpAnswer, HttpCall } from '#lib/http-client.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { file, putLayer, testPlace } from '#core/snapshots/testing.ts';
import type { TestPlace } from '#core/snapshots/testing.ts';
import { onLinuxAsRoot } from '#sys/testing.ts';
import { openImages } from '../open.ts';
import type { Images } from '../types.ts';

type Reply = { status: number; headers?: Record<string, string> };

onLinuxAsRoot('a push', () => {
  describe('a push', () => {
    let place: TestPlace;
    let images: Images;
    let reply: (call: HttpCall) => Reply;
    const calls: HttpCall[] = [];
    const held = new Set<string>();

    const transport = async (call: HttpCall): Promise<HttpAnswer> => {
      const { status, headers = {} } = reply(call);
      const name = `${call.method} ${call.url.href}`;
      calls.push(call);
      held.add(name);
      async function* body(): AsyncGenerator<Uint8Array> {
        held.delete(name);
        yield new Uint8Array();
      }
      return Promise.resolve({ url: call.url, status, reason: '', headers, body: body(), drop: () => void held.delete(name), destroy: () => {} });
    };
    beforeEach(async () => {
      calls.length = 0;
      held.clear();
      place = await testPlace('push');
      images = await openImages({ ...place, clock: systemClock, random: systemRandom, log: silentLogger, registry: { transport } });
      const layer = await putLayer(place.content, [file('a')]);
      const config: ImageConfig = { os: 'linux', architecture: 'amd64', config: {}, rootfs: { type: 'layers', diff_ids: [layer.diffId] } };
      await images.assemble(config, [layer.descriptor], ['registry.example/app:1']);
    });
    afterEach(() => place.end());

    it('holds no connection for a blob that is there already', async () => {
      reply = ({ method }) => ({ status: method === 'PUT' ? 201 : 200 });
      await images.push('registry.example/app:1');
      assert.deepEqual(calls.map(({ method }) => method), ['HEAD', 'HEAD', 'PUT']);
      assert.deepEqual([...held], []);
    });

    it('does not follow a registry to an upload without TLS, where its credentials would be seen', async () => {
      reply = ({ method, url, headers }): Reply => {
        if (headers?.['authorization'] === undefined) return { status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } };
        return method === 'POST' ? { status: 202, headers: { location: `http://registry.example${url.pathname}1` } } : { status: 404 };
      };
      await assert.rejects(images.push('registry.example/app:1', { auth: { username: 'me', password: 'pw' } }), /registry.example leads to http:\/\/registry.example, which is not secure/);
      assert.deepEqual([...new Set(calls.map(({ url }) => url.protocol))], ['https:']);
    });
  });
});

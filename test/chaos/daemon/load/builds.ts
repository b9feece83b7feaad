/** Builds: an image that was acknowledged runs; one that was not is absent or whole. */
import assert from 'node:assert/strict';
import type { Actor } from '../world.ts';

const built = new Map<number, { name: string; acknowledged: boolean }[]>();

export const builds: Actor = {
  name: 'builds',

  async act(world, round) {
    const images: { name: string; acknowledged: boolean }[] = [];
    built.set(round, images);
    while (!world.killed) {
      const image = { name: `built-${round}-${world.next()}`, acknowledged: false };
      images.push(image);
      const dockerfile = `FROM bb\nRUN echo ${image.name} > /name && dd if=/dev/zero of=/big bs=64k count=16 2>/dev/null\nWORKDIR /w\nRUN cp /name . && echo step\nCMD ["cat", "name"]\n`;
      image.acknowledged = !(await world.want('docker', ['build', '--no-cache', '-t', image.name, '-'], dockerfile)).cut;
    }
  },

  async check(world, round) {
    for (const { name, acknowledged } of built.get(round) ?? []) {
      const there = (await world.docker('images', '-q', name)) !== '';
      assert.ok(there || !acknowledged, `image ${name} was acknowledged and is not there`);
      if (!there) continue;
      assert.equal(await world.docker('run', '--rm', name), name);
      await world.docker('rmi', name);
    }
    built.delete(round);
    await world.docker('image', 'prune', '-f');
  },
};

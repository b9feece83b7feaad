import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { familiarString, parseReference, taggedName } from './reference.ts';
import { parsePlatform, pickPlatform } from './platform.ts';
import type { Descriptor } from '#core/content/types.ts';

const digest = `sha256:${'a'.repeat(64)}`;

test('names are qualified as Docker does, and shown as people write them', () => {
  const cases: [string, string, string][] = [
    ['redis', 'docker.io/library/redis:latest', 'redis'],
    ['redis:7', 'docker.io/library/redis:7', 'redis:7'],
    ['library/redis', 'docker.io/library/redis:latest', 'redis'],
    ['docker.io/redis', 'docker.io/library/redis:latest', 'redis'],
    ['index.docker.io/team/app:1', 'docker.io/team/app:1', 'team/app:1'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app'],
    ['localhost:5000/a/b:c', 'localhost:5000/a/b:c', 'localhost:5000/a/b:c'],
    ['127.0.0.1:5999/nope', '127.0.0.1:5999/nope:latest', '127.0.0.1:5999/nope'],
    ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app'],
    ['Registry/app', 'Registry/app:latest', 'Registry/app'],
    [`redis:7@${digest}`, 'docker.io/library/redis:7', `redis:7@${digest}`],
    ['a__b/c-d.e', 'docker.io/a__b/c-d.e:latest', 'a__b/c-d.e'],
  ];
  for (const [text, tagged, shown] of cases) {
    const reference = parseReference(text);
    assert.equal(taggedName(reference), tagged, text);
    assert.equal(familiarString(reference), shown, text);
  }
});

test('what is no name is refused in Docker\'s words', () => {
  const cases: [string, RegExp][] = [
    ['', /^invalid reference format/],
    ['library/Redis', /repository name \(library\/Redis\) must be lowercase/],
    ['Redis', /repository name \(library\/Redis\) must be lowercase/],
    ['a'.repeat(64), /cannot specify 64-byte hexadecimal strings/],
    ['redis:', /^invalid reference format/],
    [`redis:${'x'.repeat(129)}`, /^invalid reference format/],
    ['redis@sha256:abc', /^invalid reference format/],
    [`redis@sha512:${'a'.repeat(128)}`, /only sha256 is supported/],
    ['../etc', /^invalid reference format/],
    ['a//b', /^invalid reference format/],
    ['-x/y', /^invalid reference format/],
    [`${'x/'.repeat(130)}y`, /not be more than 255 characters/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseReference(text), (e) => isFault(e, 'invalid') && message.test(e.message), text);
  }
});

test('of an index the manifest that suits the platform best is picked', () => {
  const one = (platform: string, note?: string): Descriptor => {
    const [os, architecture, variant] = platform.split('/') as [string, string, string | undefined];
    return { mediaType: '', size: 1, digest: `sha256:${platform}`, platform: { os, architecture, ...(variant ? { variant } : {}) }, ...(note ? { annotations: { 'vnd.docker.reference.type': note } } : {}) };
  };
  const index = [one('linux/amd64', 'attestation-manifest'), one('linux/arm/v5'), one('linux/arm/v6'), one('linux/amd64'), one('linux/arm64/v8'), one('windows/amd64')];
  const pick = (platform: string): string | undefined => pickPlatform(index, parsePlatform(platform))?.digest.slice(7);
  assert.equal(pick('linux/amd64'), 'linux/amd64');
  assert.equal(pickPlatform(index, parsePlatform('linux/amd64'))?.annotations, undefined);
  assert.equal(pick('linux/aarch64'), 'linux/arm64/v8');
  assert.equal(pick('linux/arm/v7'), 'linux/arm/v6');
  assert.equal(pick('linux/arm/v5'), 'linux/arm/v5');
  assert.equal(pick('linux/s390x'), undefined);
  assert.throws(() => parsePlatform('linux/amd64/v1/x'), (e) => isFault(e, 'invalid'));
});

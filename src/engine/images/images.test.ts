import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyChanges } from './change-instructions.ts';
import { joinTag } from './context.ts';
import { referenceMatches } from './list.ts';

test('change instructions of commit and import', () => {
  const config = applyChanges({ Env: ['A=0'] }, ['ENV A=1 B="two words"', 'env C three four', 'CMD ["a", "b"]', 'ENTRYPOINT run it', 'EXPOSE 80 53/udp', 'VOLUME ["/x", "/y z"]', 'LABEL k=v', 'USER app', 'WORKDIR /w', 'STOPSIGNAL SIGINT', '']);
  assert.deepEqual(config, {
    Env: ['A=1', 'B=two words', 'C=three four'],
    Cmd: ['a', 'b'],
    Entrypoint: ['/bin/sh', '-c', 'run it'],
    ExposedPorts: { '80/tcp': {}, '53/udp': {} },
    Volumes: { '/x': {}, '/y z': {} },
    Labels: { k: 'v' },
    User: 'app',
    WorkingDir: '/w',
    StopSignal: 'SIGINT',
  });
  for (const wrong of ['RUN x', 'ENV', 'ENV A', 'LABEL =x y=1', 'WORKDIR rel', 'STOPSIGNAL x']) assert.throws(() => applyChanges({}, [wrong]), { kind: 'invalid' });
});

test('reference patterns: globs that stop at a slash, with or without a tag', () => {
  const name = 'docker.io/library/redis:7';
  assert.deepEqual(['redis', 'redis:7', 'red*', 'redis:*', '*', 'docker.io/library/redis'].map((p) => referenceMatches(name, p)), Array(6).fill(true));
  assert.deepEqual(['edis', 'redis:6', 'x/*', 'redis.'].map((p) => referenceMatches(name, p)), Array(4).fill(false));
  assert.equal(referenceMatches('host:5000/team/app:1', 'host:5000/*'), false);
  assert.equal(referenceMatches('host:5000/team/app:1', 'host:5000/*/app'), true);
});

test('a tag may be a digest', () => {
  assert.deepEqual([joinTag('a', ''), joinTag('a', '1'), joinTag('a', 'sha256:00')], ['a', 'a:1', 'a@sha256:00']);
});

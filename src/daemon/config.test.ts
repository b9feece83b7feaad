import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { hasSettings, parseConfig, parseRoot, settingsOf } from './config.ts';

describe('the flags of up', () => {
  test('become flags again that mean the same from any directory', () => {
    const config = parseConfig(['--root', 'r', '--docker-socket', './d.sock', '--api-port', '7000', '--registry-mirror', 'http://m/', '--node-monitor-grace-period', '1m', '--default-unreachable-toleration-seconds', '5'], {});
    assert.deepEqual([config.nodeGraceMs, config.tolerations], [60_000, { notReady: 300, unreachable: 5 }]);
    assert.equal(config.dockerSocket, join(process.cwd(), 'd.sock'));
    assert.deepEqual(parseConfig(['--root', config.root, ...settingsOf(config)], {}), config);
  });

  test('root and debug are no settings to keep', () => {
    assert.equal(hasSettings(['--root', '/r', '--debug']), false);
    assert.equal(hasSettings(['--root=/r', '--api-port=1']), true);
  });

  test('the root is the flag, else GANTRY_ROOT; an empty one counts as none', () => {
    assert.equal(parseRoot([], { GANTRY_ROOT: '/env' }, {}).root, '/env');
    assert.equal(parseRoot(['--root', '/flag'], { GANTRY_ROOT: '/env' }, {}).root, '/flag');
    assert.equal(parseRoot([], { GANTRY_ROOT: '' }, {}).root, '/var/lib/gantry');
  });

  test('one place is one instance, whatever links lead to it, and whether it is there yet', (t) => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'gantry-root-')));
    t.after(() => rmSync(directory, { recursive: true }));
    mkdirSync(join(directory, 'disk'));
    symlinkSync(join(directory, 'disk'), join(directory, 'link'));
    for (const root of ['link', 'link/new/er']) {
      const [by, real] = [join(directory, root), join(directory, root.replace('link', 'disk'))].map((path) => parseConfig(['--root', path], {}));
      assert.equal(by?.root, real?.root);
      assert.equal(by?.instance, real?.instance);
    }
  });

  const refused: readonly [args: string[], want: RegExp][] = [
    [['--root', '/'], /--root cannot be \//],
    [['--root', '/a:b'], /has ":" in it/],
    [['--root', `/${'x'.repeat(95)}`], /longer than 107 bytes/],
    [['--root', `/${'x'.repeat(95)}`, '--docker-socket', '/d.sock'], /control\.sock is longer than 107 bytes/],
    [['--nodes', '0'], /--nodes takes a whole number from 1 to 100/],
    [['--nodes', '2.5'], /--nodes/],
    [['--api-port', '-1'], /--api-port/],
    [['--node-monitor-grace-period', '40'], /takes a duration such as 40s/],
    [['--node-monitor-grace-period', '5s'], /takes 15s to 1h, not "5s"/],
    [['--default-not-ready-toleration-seconds=-1'], /--default-not-ready-toleration-seconds takes a whole number/],
    [['--default-unreachable-toleration-seconds', '5m'], /--default-unreachable-toleration-seconds takes a whole number/],
    [['--registry-mirror', 'ftp://x'], /--registry-mirror takes an http or https URL/],
    [['--bogus'], /--bogus/],
    [['word'], /word/],
  ];
  for (const [args, want] of refused) test(`refuses ${args.join(' ').slice(0, 40)}`, () => assert.throws(() => parseConfig(args, {}), want));
});

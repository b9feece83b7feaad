import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listenOnSocket } from './unix-socket.ts';

test('a socket has its mode when it is made, whatever the umask, which stays', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-socket-'));
  const before = process.umask(0);
  t.after(() => {
    process.umask(before);
    rmSync(directory, { recursive: true });
  });
  const path = join(directory, 's');
  const server = createServer();
  const listening = listenOnSocket(server, path, 0o600);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await listening;
  assert.equal(process.umask(), 0);
  const second = createServer();
  await assert.rejects(listenOnSocket(second, path, 0o600), { code: 'EADDRINUSE' });
  assert.equal(process.umask(), 0);
  server.close();
});

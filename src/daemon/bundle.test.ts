import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { program } from './bundle.ts';

/** A checkout of a small program with the same entries. */
function checkout(): { root: string; source: string; write: (path: string, text: string) => void } {
  const root = mkdtempSync(join(tmpdir(), 'gantry-bundle-'));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('package-lock.json', '{}');
  write('src/main.ts', "import { word } from './word.ts';\nconst text: string = word;\nprocess.stdout.write(text);\n");
  write('src/word.ts', "export const word: string = 'one';\n");
  write('src/sys/epoll/worker.ts', 'export {};\n');
  write('src/core/snapshots/unpack/worker.ts', 'export {};\n');
  return { root, source: join(root, 'src'), write };
}

test('the program is made one file once, and again when a source changed', async () => {
  const { root, source, write } = checkout();
  try {
    const said: string[] = [];
    const [first, meanwhile] = await Promise.all([program((t) => said.push(t), source), program(() => {}, source)]);
    assert.equal(first, meanwhile, 'two starts at the same time make the same');
    assert.equal(said.length, 1);
    assert.equal(execFileSync(process.execPath, [first], { encoding: 'utf8' }), 'one');
    assert.equal(await program((t) => said.push(t), source), first);
    assert.equal(said.length, 1, 'nothing is made where nothing changed');
    write('src/word.ts', "export const word: string = 'another';\n");
    const second = await program(() => {}, source);
    assert.equal(execFileSync(process.execPath, [second], { encoding: 'utf8' }), 'another');
    assert.ok(existsSync(first), 'a daemon may run from it');
    for (let i = 0; i < 5; i++) {
      write('src/word.ts', `export const word: string = '${'x'.repeat(i)}';\n`);
      await program(() => {}, source);
    }
    assert.ok(!existsSync(first), 'old ones go in the end');
    assert.deepEqual(readdirSync(join(root, '.tools/bundle')).filter((n) => n.includes('.')), [], 'no half-made one stays');
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('where no file can be made, it starts from the sources and says why', async () => {
  const { root, source, write } = checkout();
  try {
    write('src/word.ts', 'export const word = ;\n');
    const said: string[] = [];
    assert.equal(await program((t) => said.push(t), source), join(source, 'main.ts'));
    assert.match(said.join('\n'), /from the sources, which is slower: .*word\.ts/s);
  } finally {
    rmSync(root, { recursive: true });
  }
});

/**
 * The commands in the documents work. Each ```sh block of a Markdown file is run here, line by line as a reader would type it,
 * or is named below with the test that does. A new block fails until it is one of the two.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestDaemon, whyNoDaemon } from './support/daemon.ts';

const root = join(import.meta.dirname, '..');

/** Blocks that are not run here, by document and first line, with the reason. */
const elsewhere: Readonly<Record<string, string>> = {
  'README.md: ./gantry demo': 'test/e2e/demo.test.ts runs the demo, and ./gantry test is what runs this',
  'CONTRIBUTING.md: git clone REPOSITORY gantry && cd gantry': 'the same two commands, after a clone',
  'docs/simulation.md: npm run sim -- --seeds 10000': 'hours of a core; test/sim runs fewer seeds by the same program',
};

/** Images that the blocks name: here busybox stands for them. */
const images = ['alpine', 'nginx'];
/** What is typed into a shell that a block opens. */
const typed = 'exit\n';

interface Block {
  name: string;
  text: string;
}

function blocks(): Block[] {
  return globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root }).sort().flatMap((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    return [...text.matchAll(/^```(?:sh|bash|console)\n(.*?)^```$/gms)].map(([, body = '']) => {
      const first = body.split('\n')[0]?.replace(/\s+#.*/, '').trim() ?? '';
      return { name: `${path}: ${first}`, text: body };
    });
  });
}

test('every command block in the documents is run by a test', () => {
  const names = blocks().map((b) => b.name);
  assert.ok(names.length > 0, 'there is none to run');
  for (const name of Object.keys(elsewhere)) assert.ok(names.includes(name), `no document has the block "${name}" any more: take it out of this test`);
});

describe('the documents, as typed', { skip: whyNoDaemon('docker', 'kubectl', 'script') ?? false }, () => {
  const daemon = new TestDaemon();
  before(async () => {
    await daemon.up();
    for (const name of images) await daemon.busybox(name);
  });
  after(() => daemon.end());

  for (const { name, text } of blocks().filter((b) => !(b.name in elsewhere))) {
    test(name, async () => {
      // in a terminal, since a reader sits at one
      const lines = `set -e\ncd '${root}'\nexport GANTRY_ROOT='${daemon.root}'\n${text}`;
      const { code, stdout, stderr } = await daemon.run('script', ['-qec', lines, '/dev/null'], typed);
      assert.equal(code, 0, `${text}\n${stdout}${stderr}`);
    });
  }
});

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestDaemon, until, whyNoDaemon } from '../support/daemon.ts';

describe('docker build, by the real client', { skip: whyNoDaemon('docker') ?? false }, () => {
  const daemon = new TestDaemon();
  let count = 0;

  /** A context directory of the files given. */
  function context(files: Record<string, string>): string {
    const directory = join(daemon.root, `context-${count++}`);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), text);
    }
    return directory;
  }

  before(async () => {
    await daemon.up();
    await daemon.busybox();
  });
  after(() => daemon.end());

  test('builds every instruction that images are made of, and the image runs as it says', async () => {
    const directory = context({
      Dockerfile: `# escape=\\
ARG BASE=bb
FROM $BASE AS build
SHELL ["/bin/sh", "-ec"]
ARG WHO=nobody
ENV GREETING="hello $WHO"
WORKDIR /work
COPY src/ ./
RUN echo "$GREETING" > made && \\
    cat one >> made

FROM bb
LABEL org.example.a="x y" b=2
COPY --from=build /work/made /data/
ADD two /data/
RUN adduser -D app 2>/dev/null || echo 'app:x:1000:1000::/:/bin/sh' >> /etc/passwd || (mkdir -p /etc && echo 'app:x:1000:1000::/:/bin/sh' > /etc/passwd)
USER app
EXPOSE 8080 53/udp
VOLUME /vol
WORKDIR /data
ENTRYPOINT ["cat"]
CMD ["made"]
`,
      'src/one': 'from one\n',
      two: 'two',
      '.dockerignore': 'secret\n',
      secret: 's',
    });
    const { stdout, stderr, code } = await daemon.docker('build', '-t', 'app:1', '--build-arg', 'WHO=you', directory);
    assert.equal(code, 0, stderr + stdout);
    assert.match(stdout, /Step 1\/\d+ : ARG BASE=bb|Step 1\/\d+ : FROM \$BASE AS build/);
    assert.match(stdout, /Successfully tagged app:1/);
    assert.equal(await daemon.ok('docker', 'run', '--rm', 'app:1'), 'hello you\nfrom one');
    assert.equal(await daemon.ok('docker', 'run', '--rm', '--entrypoint', 'id', 'app:1', '-u'), '1000');
    const [image] = JSON.parse(await daemon.ok('docker', 'inspect', 'app:1')) as { Config: Record<string, unknown> }[];
    assert.deepEqual(image?.Config['ExposedPorts'], { '8080/tcp': {}, '53/udp': {} });
    assert.deepEqual(image?.Config['Labels'], { 'org.example.a': 'x y', b: '2' });
    assert.deepEqual(image?.Config['Volumes'], { '/vol': {} });
  });

  test('takes what has not changed from the cache, and gives the same image', async () => {
    const files = { Dockerfile: 'FROM bb\nRUN echo one > /one\nCOPY a /a\nRUN echo two > /two\n', a: '1' };
    const directory = context(files);
    await daemon.ok('docker', 'build', '-t', 'cached', directory);
    const id = await daemon.ok('docker', 'images', '-q', '--no-trunc', 'cached');
    const again = await daemon.ok('docker', 'build', '-t', 'cached', directory);
    assert.equal(again.match(/Using cache/g)?.length, 3);
    assert.equal(await daemon.ok('docker', 'images', '-q', '--no-trunc', 'cached'), id);
    writeFileSync(join(directory, 'a'), '2');
    assert.equal((await daemon.ok('docker', 'build', '-t', 'cached', directory)).match(/Using cache/g)?.length, 1);
    assert.doesNotMatch(await daemon.ok('docker', 'build', '--no-cache', '-t', 'cached', directory), /Using cache/);
  });

  test('a failing command is the exit status, and its output is shown', async () => {
    const { code, stdout, stderr } = await daemon.docker('build', context({ Dockerfile: 'FROM bb\nRUN echo said; exit 7\n' }));
    assert.equal(code, 7);
    assert.match(stdout, /said/);
    assert.match(stderr, /The command '\/bin\/sh -c echo said; exit 7' returned a non-zero code: 7/);
  });

  test('a typo in the Dockerfile is shown with its line and the word that was meant', async () => {
    const { code, stderr } = await daemon.docker('build', context({ Dockerfile: 'FROM bb\nCOPPY a b\n' }));
    assert.equal(code, 1);
    assert.match(stderr, /dockerfile parse error on line 2: unknown instruction: COPPY \(did you mean COPY\?\)/);
  });

  test('a missing base image and a missing file say what is missing', async () => {
    const image = await daemon.docker('build', context({ Dockerfile: 'FROM 127.0.0.1:1/nope\n' }));
    assert.notEqual(image.code, 0);
    assert.match(image.stderr, /127\.0\.0\.1:1/);
    const file = await daemon.docker('build', context({ Dockerfile: 'FROM bb\nCOPY nope /\n' }));
    assert.match(file.stderr, /COPY failed: file not found in build context or excluded by \.dockerignore: stat nope/);
  });

  test('a stage by its name, a Dockerfile by another name, the id alone', async () => {
    const directory = context({ 'other.df': 'FROM bb AS first\nRUN echo 1 > /n\nFROM bb\nRUN exit 1\n' });
    const id = await daemon.ok('docker', 'build', '-q', '-f', join(directory, 'other.df'), '--target', 'first', directory);
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    assert.equal(await daemon.ok('docker', 'run', '--rm', id, 'cat', '/n'), '1');
  });

  /** What builds leave where they work; all of it is gone when they end. */
  function leftByBuilds(): string[] {
    return ['contexts', 'runs', 'steps'].flatMap((name) => {
      const directory = join(daemon.root, 'build', name);
      return existsSync(directory) ? readdirSync(directory).map((entry) => `${name}/${entry}`) : [];
    });
  }

  test('a client that goes away ends its build, and nothing of it is left', async () => {
    const build = daemon.start('docker', ['build', '--no-cache', context({ Dockerfile: 'FROM bb\nRUN sleep 1000\n' })]);
    await until('the command to run', () => leftByBuilds().some((name) => name.startsWith('runs/')));
    build.kill('SIGINT');
    await until('all of the build to be gone', () => leftByBuilds().length === 0);
  });

  test('a daemon that is killed amid a build removes what is left of it at its next start', async () => {
    const build = daemon.docker('build', '--no-cache', context({ Dockerfile: 'FROM bb\nRUN sleep 1000\n' }));
    await until('the command to run', () => leftByBuilds().some((name) => name.startsWith('runs/')));
    await daemon.kill();
    assert.notEqual((await build).code, 0);
    assert.notDeepEqual(leftByBuilds(), []);
    await daemon.up();
    assert.deepEqual(leftByBuilds(), []);
    assert.doesNotMatch(readFileSync('/proc/mounts', 'utf8'), new RegExp(`${daemon.root}/snapshots`));
  });
});

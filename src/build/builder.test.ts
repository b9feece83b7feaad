import assert from 'node:assert/strict';
import { lstat, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { whyNoContainers } from '#core/containers/testing.ts';
import { tarEntry } from '#lib/tar/types.ts';
import { encodeTar } from '#lib/tar/write.ts';
import { contextOf, defaults, openBuildBed, type BuildBed } from './testing.ts';

const skip = whyNoContainers() ?? false;

describe('builder', { skip }, () => {
  let bed: BuildBed;
  const base = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n';

  before(async () => {
    bed = await openBuildBed();
    const dockerfile = `${base}RUN mkdir -p /etc && echo 'app:x:1000:1000::/home:/bin/sh' > /etc/passwd\nENV PATH=/bin\n`;
    const { error } = await bed.build({ Dockerfile: dockerfile, busybox: readFileSync('/bin/busybox') }, { tags: ['base:1'] });
    assert.equal(error, undefined);
  });
  after(() => bed.end());

  test('runs commands, keeps what they write, and takes all from the cache the second time', async () => {
    const files = { Dockerfile: 'FROM base:1\nARG WHO=world\nRUN echo hello $WHO > /greeting\nLABEL a=b\nCMD ["cat", "/greeting"]\n' };
    const first = await bed.build(files);
    assert.equal(first.error, undefined);
    assert.match(first.said, /Step 3\/5 : RUN echo hello \$WHO > \/greeting\n/);
    const id = bed.images.get('t:1')?.id;
    assert.equal(await bed.read('t:1', (root) => readFile(join(root, 'greeting'), 'utf8')), 'hello world\n');
    const second = await bed.build(files);
    assert.equal(second.said.match(/Using cache/g)?.length, 4);
    assert.equal(bed.images.get('t:1')?.id, id, 'the same steps give the same image');
    await bed.build(files, { buildArgs: { WHO: 'you' } });
    assert.equal(await bed.read('t:1', (root) => readFile(join(root, 'greeting'), 'utf8')), 'hello you\n');
  });

  test('a layer holds only what the step wrote, not what the runtime needed for its mounts', async () => {
    await bed.build({ Dockerfile: 'FROM base:1\nRUN echo x > /only\n' }, { tags: ['only:1'], noCache: true });
    const image = bed.images.get('only:1');
    const names = await bed.read('only:1', (root) => readdir(join(root, 'etc')));
    assert.deepEqual(names, ['passwd']);
    assert.equal(image?.config.rootfs.diff_ids.length, 4);
  });

  test('--add-host names hosts; what is no address is refused; --cache-from says what it does not do', async () => {
    const files = { Dockerfile: 'FROM base:1\nRUN cat /etc/hosts\n' };
    const { said } = await bed.build(files, { extraHosts: ['up=1.2.3.4'], cacheFrom: ['other:1'], noCache: true });
    assert.match(said, /\[Warning\] --cache-from other:1/);
    assert.match(said, /^1\.2\.3\.4\tup$/m);
    assert.match((await bed.build(files, { extraHosts: ['up:nowhere'], noCache: true })).error ?? '', /invalid IP address in add-host: "nowhere"/);
  });

  test('limits of the commands: ulimits and the parent of their cgroup', async () => {
    const resources = { memory: 0, memorySwap: 0, cpuShares: 0, cpuPeriod: 0, cpuQuota: 0, cpusetCpus: '', cpusetMems: '', shmSize: 0 };
    const files = { Dockerfile: 'FROM base:1\nRUN ulimit -n; cat /proc/self/cgroup\n' };
    const nofile = { Name: 'nofile', Soft: 64, Hard: 64 };
    const { said } = await bed.build(files, { noCache: true, resources: { ...resources, cgroupParent: `/${basename(bed.directory)}/limited/`, ulimits: [nofile] } });
    assert.match(said, /^64$/m);
    assert.match(said, new RegExp(`:/${basename(bed.directory)}/limited/[0-9a-f]{64}$`, 'm'));
    const wrong = await bed.build(files, { resources: { ...resources, cgroupParent: '', ulimits: [{ ...nofile, Name: 'nofiles' }] } });
    assert.match(wrong.error ?? '', /invalid ulimit type: nofiles/);
  });

  test('a change of a copied file invalidates that step and the later ones only', async () => {
    const files = { Dockerfile: 'FROM base:1\nRUN true > /first\nCOPY a /a\nRUN cat /a > /b\n', a: 'one' };
    await bed.build(files);
    const { said } = await bed.build({ ...files, a: 'two' });
    assert.equal(said.match(/Using cache/g)?.length, 1);
    assert.equal(await bed.read('t:1', (root) => readFile(join(root, 'b'), 'utf8')), 'two');
  });

  test('copies directories, patterns, links and owners as the reference says', async () => {
    const { error } = await bed.build({
      Dockerfile: 'FROM base:1\nWORKDIR /w\nCOPY dir d\nCOPY *.txt many/\nCOPY --chown=app --chmod=0600 one.txt owned\nCOPY <<EOF inline\nhi $PATH\nEOF\n',
      'dir/': '', 'dir/f': 'f', 'dir/l': '-> f', 'one.txt': '1', 'two.txt': '2',
    });
    assert.equal(error, undefined);
    await bed.read('t:1', async (root) => {
      assert.equal(await readlink(join(root, 'w/d/l')), 'f');
      assert.deepEqual(await readdir(join(root, 'w/many')), ['one.txt', 'two.txt']);
      const owned = await lstat(join(root, 'w/owned'));
      assert.deepEqual([owned.uid, owned.gid, owned.mode & 0o777], [1000, 1000, 0o600]);
      assert.equal(await readFile(join(root, 'w/inline'), 'utf8'), 'hi /bin\n');
    });
  });

  test('builds only the stages that the target needs, and copies from them', async () => {
    const { said, error } = await bed.build({
      Dockerfile: 'FROM base:1 AS one\nRUN echo 1 > /one\nFROM base:1 AS unused\nRUN exit 9\nFROM scratch\nCOPY --from=one /one /got\nCOPY --from=base:1 /etc/passwd /p\n',
    });
    assert.equal(error, undefined);
    assert.doesNotMatch(said, /exit 9/);
    assert.deepEqual(await bed.read('t:1', (root) => readdir(root)), ['got', 'p']);
  });

  test('a command that fails gives its status and leaves no image', async () => {
    const { error, code } = await bed.build({ Dockerfile: 'FROM base:1\nRUN echo before; exit 3\n' }, { tags: ['fails:1'] });
    assert.equal(error, "The command '/bin/sh -c echo before; exit 3' returned a non-zero code: 3");
    assert.equal(code, 3);
    assert.equal(bed.images.get('fails:1'), undefined);
    assert.deepEqual(bed.snapshots.active(), []);
  });

  test('what .dockerignore names stays out, and a path cannot climb out of the context', async () => {
    const ignored = await bed.build({ Dockerfile: 'FROM base:1\nCOPY . /all\n', '.dockerignore': 'secret\n', secret: 's', kept: 'k' });
    assert.equal(ignored.error, undefined);
    const names = await bed.read('t:1', (root) => readdir(join(root, 'all')));
    assert.deepEqual(names.sort(), ['.dockerignore', 'Dockerfile', 'kept']);
    const missing = await bed.build({ Dockerfile: 'FROM base:1\nCOPY ../../../../etc/hostname /h\n' });
    assert.match(missing.error ?? '', /file not found in build context/);
    const link = await bed.build({ Dockerfile: 'FROM base:1\nCOPY out /h\n', out: '-> /etc/hostname' });
    assert.match(link.error ?? '', /file not found in build context/);
  });

  test('ADD unpacks an archive that it is given', async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of encodeTar([{ entry: tarEntry('in/file', 'file', { size: 2 }), body: Buffer.from('ok') }])) chunks.push(chunk);
    const { error } = await bed.build({ Dockerfile: 'FROM base:1\nADD a.tar /x/\n', 'a.tar': Buffer.concat(chunks) });
    assert.equal(error, undefined);
    assert.equal(await bed.read('t:1', (root) => readFile(join(root, 'x/in/file'), 'utf8')), 'ok');
  });

  test('ENTRYPOINT drops an inherited CMD, and ONBUILD runs in the child', async () => {
    await bed.build({ Dockerfile: 'FROM base:1\nCMD ["a"]\nONBUILD RUN echo built > /onbuild\n' }, { tags: ['parent:1'] });
    await bed.build({ Dockerfile: 'FROM parent:1\nENTRYPOINT ["b"]\n' });
    const { config } = bed.images.get('t:1') ?? {};
    assert.deepEqual(config?.config?.Entrypoint, ['b']);
    assert.equal(config?.config?.Cmd, null);
    assert.equal(await bed.read('t:1', (root) => readFile(join(root, 'onbuild'), 'utf8')), 'built\n');
  });

  const history = (image: string): string[] => (bed.images.get(image)?.config.history ?? []).map((h) => h.created_by ?? '');

  /** What a Dockerfile on base:1 prints, one case a line: each was seen on Docker's own builder, or is its reference's word. */
  const prints: readonly [what: string, dockerfile: string, want: RegExp, args?: Record<string, string | null>][] = [
    ['an ARG from before FROM counts from its line in the stage on', 'ARG V=1\nFROM base:1\nRUN echo "<$V>"\nARG V\nRUN echo "<$V>"\n', /\n<>\n[^]*\n<1>\n/],
    ['a default in the stage wins over the one before FROM', 'ARG V=1\nFROM base:1\nARG V=2\nRUN echo "<$V>"\n', /\n<2>\n/],
    ['ENV wins over ARG, whichever comes first', 'FROM base:1\nARG A=a\nENV A=env\nARG A=later\nRUN echo "<$A>"\n', /\n<env>\n/, { A: 'given' }],
    ['ARGs of one line do not see each other', 'FROM base:1\nARG A=1 B=$A\nRUN echo "<$A$B>"\n', /\n<1>\n/],
    ['a proxy reaches RUN without ARG', 'FROM base:1\nRUN echo "<$HTTP_PROXY>"\n', /\n<http:\/\/p>\n/, { HTTP_PROXY: 'http://p' }],
    ['output need not end its line', 'FROM base:1\nRUN printf abc\nRUN printf def\n', /abcRemoving[^]*defRemoving/],
    ['HOME is that of the user, HOSTNAME can be looked up', 'FROM base:1\nUSER app\nRUN echo "<$HOME>"; grep -c "$HOSTNAME" /etc/hosts\n', /\n<\/home>\n1\n/],
    ['a process left behind is ended with its command', 'FROM base:1\nRUN sleep 1000 & echo done\n', /\ndone\n/],
    ['an empty continuation line is warned of', 'FROM base:1\nRUN echo a \\\n\n b\n', /\[WARNING\]: Empty continuation line/],
  ];
  for (const [what, Dockerfile, want, buildArgs = {}] of prints) {
    test(what, async () => {
      const { said, error } = await bed.build({ Dockerfile }, { noCache: true, buildArgs });
      assert.equal(error, undefined);
      assert.match(said, want);
    });
  }

  /** Refused before the first step. */
  const refused: readonly [line: string, want: RegExp][] = [
    ['SHELL nojson', /line 3: SHELL requires the arguments to be in JSON form/],
    ['COPY one', /line 3: COPY requires at least two arguments/],
    ['COPY a b /x', /line 3: When using COPY with more than one source file/],
    ['CMD ["a", 1]', /line 3: when using JSON array syntax, arrays must be comprised of strings only/],
    ['HEALTHCHECK BAD x', /line 3: Unknown type "BAD" in HEALTHCHECK/],
    ['ONBUILD FROM x', /line 3: FROM isn't allowed as an ONBUILD trigger/],
    ['ENV', /line 3: ENV requires at least one argument/],
    ['EXPOSE abc', /line 3: invalid containerPort: abc/],
    ['COPY --from=7 a b', /line 3: invalid from flag value 7: index out of bounds/],
    ['WORKDIR', /line 3: WORKDIR requires exactly one argument/],
    ['ENV a=\0', /line 3 has a NUL byte/],
  ];
  for (const [line, want] of refused) {
    test(`refuses ${JSON.stringify(line)} before it does anything`, async () => {
      const { said, error } = await bed.build({ Dockerfile: `FROM base:1\nRUN echo expensive\n${line}\n` });
      assert.match(error ?? '', want);
      assert.equal(said, '');
    });
  }

  test('a stage or a base whose name has a typo is shown with its place', async () => {
    const stage = await bed.build({ Dockerfile: 'FROM base:1 AS build\nFROM base:1\nCOPY --from=biuld /f /f\n' });
    assert.match(stage.error ?? '', /line 3: no stage is named biuld \(did you mean build\?\), and as an image it cannot be had: [^]*\n3 \| COPY --from=biuld \/f \/f\n {2}\| {13}\^$/);
    const base = await bed.build({ Dockerfile: 'FROM Base:1\n' });
    assert.match(base.error ?? '', /line 1: invalid reference format: repository name \(.*Base\) must be lowercase[^]*\n1 \| FROM Base:1\n {2}\| \^$/);
  });

  test('a step that changes no file has no layer, and history says so; proxies stay out of it', async () => {
    // with all that the runtime mounts on, as whole distributions have it
    const places = { 'fs/etc/hosts': '', 'fs/etc/hostname': '', 'fs/etc/resolv.conf': '', 'fs/proc/': '', 'fs/sys/': '', 'fs/dev/pts/': '', 'fs/dev/shm/': '', 'fs/dev/mqueue/': '' };
    const Dockerfile = 'FROM base:1\nCOPY fs /\nARG A=1\nRUN true\nCOPY f /f\nWORKDIR /\nSTOPSIGNAL INT\n';
    await bed.build({ Dockerfile, f: 'f', ...places }, { tags: ['history:1'], buildArgs: { https_proxy: 'http://user:secret@p' } });
    const [argLine, runLine, copyLine, workdirLine] = history('history:1').slice(-5);
    assert.deepEqual([argLine, runLine, workdirLine], ['/bin/sh -c #(nop)  ARG A=1', '|1 A=1 /bin/sh -c true', '/bin/sh -c #(nop) WORKDIR /']);
    assert.match(copyLine ?? '', /^\/bin\/sh -c #\(nop\) COPY file:[0-9a-f]{64} in \/f $/);
    const empty = bed.images.get('history:1')?.config.history?.slice(-5).map((h) => h.empty_layer ?? false);
    assert.deepEqual(empty, [true, true, false, true, true]);
    const { error } = await bed.build({ Dockerfile: 'FROM base:1\nSTOPSIGNAL BOGUS\n' });
    assert.match(error ?? '', /line 2: Invalid signal: BOGUS/);
  });

  test('COPY follows a link at its target, dresses directories that are there, and gives a name the group of its user', async () => {
    const { error } = await bed.build({
      Dockerfile: 'FROM base:1\nRUN echo "odd:x:7:50::/:/bin/sh" >> /etc/passwd; mkdir -p /real /d/sub; chmod 700 /d/sub; ln -s /real/file /link\nCOPY f /link\nCOPY d /d\nCOPY --chown=odd f /named\nCOPY --chown=9 f /numbered\nADD packed.gz /packed\n',
      f: 'f', 'd/sub/': '', 'packed.gz': gzipSync('no tar'),
    });
    assert.equal(error, undefined);
    await bed.read('t:1', async (root) => {
      assert.equal(await readFile(join(root, 'real/file'), 'utf8'), 'f');
      assert.equal((await lstat(join(root, 'd/sub'))).mode & 0o777, 0o755);
      const owners = await Promise.all(['named', 'numbered'].map((name) => lstat(join(root, name))));
      assert.deepEqual(owners.map((s) => [s.uid, s.gid]), [[7, 50], [9, 9]]);
      assert.deepEqual(await readFile(join(root, 'packed')), gzipSync('no tar'));
    });
  });

  test('a command that cannot be started has no exit status of its own; a quiet build that fails says why', async () => {
    const missing = await bed.build({ Dockerfile: 'FROM base:1\nRUN ["/nope"]\n' });
    assert.match(missing.error ?? '', /nope/);
    assert.equal(missing.code, undefined);
    const quiet = await bed.build({ Dockerfile: 'FROM base:1\nRUN echo reason; exit 4\n' }, { quiet: true });
    assert.match(quiet.said, /\nreason\n/);
    assert.deepEqual(bed.snapshots.active(), []);
  });

  test('a build that is cut off at the begin of a command ends, whatever the command has come to', async () => {
    for (const turns of [0, 5, 50, 200]) {
      const stop = new AbortController();
      const emit = async ({ stream }: { stream?: string }): Promise<void> => {
        if (!stream?.includes('RUN sleep')) return;
        for (let i = 0; i < turns; i++) await new Promise(setImmediate);
        stop.abort(new Error('the client is gone'));
      };
      const build = bed.builder.build(defaults, contextOf({ Dockerfile: `FROM base:1\nRUN sleep 1000 # ${turns}\n` }), (message) => void emit(message), stop.signal);
      await assert.rejects(build, /the client is gone/);
    }
    assert.deepEqual(bed.snapshots.active(), []);
  });

  test('a layer that a crash left without an image and without a step is gone after the next start, with its blob', async () => {
    const Dockerfile = 'FROM base:1 AS other\nRUN echo only in the cache > /cached\nFROM base:1\nCOPY --from=other /cached /cached\n';
    assert.equal((await bed.build({ Dockerfile })).error, undefined);
    const before = bed.snapshots.layers().length;
    await bed.snapshots.create('lost', bed.images.get('t:1')?.chain ?? '');
    await writeFile(join(await bed.snapshots.mount('lost'), 'lost'), 'lost');
    const { descriptor, chain } = await bed.snapshots.commit('lost');
    await bed.reopen();
    assert.deepEqual([bed.snapshots.has(chain), await bed.images.content.stat(descriptor.digest)], [false, undefined]);
    assert.equal(bed.snapshots.layers().length, before);
    assert.equal((await bed.build({ Dockerfile })).said.match(/Using cache/g)?.length, 2);
    assert.ok((await bed.builder.prune({ all: true, keepStorage: 0 }, {})).SpaceReclaimed > 0);
  });

  test('what is not there is refused by name', async () => {
    assert.match((await bed.build({ Dockerfile: 'FROM base:1\n' }, { squash: true })).error ?? '', /--squash is not implemented/);
    const { error } = await bed.build({ Dockerfile: 'FROM base:1\nRUN --mount=type=secret,target=/s true\n' });
    assert.match(error ?? '', /type=secret needs BuildKit/);
  });
});

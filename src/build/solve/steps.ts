import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Emit } from '#api/docker/calls.ts';
import type { BuildOptions } from '#api/docker/build.ts';
import type { MountSpec } from '#core/containers/types.ts';
import { isoTime } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { cacheKey, type BuildCache } from '../cache/cache.ts';
import { contentDigest, findSources, type SourceItem, type SourceTree } from '../context/tree.ts';
import { at } from '../dockerfile/errors.ts';
import { envMap } from '../dockerfile/instructions/shared.ts';
import { keywords, kindOf } from '../dockerfile/instructions/index.ts';
import { predefinedArgs } from '../dockerfile/stages.ts';
import type { Change, Instruction, Source, Step, StepContext } from '../dockerfile/types.ts';
import type { BuilderOptions, CachedLayer } from '../types.ts';
import { describeSources, needsDirectory, performCopy, performWorkdir, planCopy, type CopyPlan } from './filesystem.ts';
import { marked } from './leftovers.ts';
import { runCommand, runId } from './run.ts';
import { recordStep, type StageState } from './stage.ts';

/** What the steps of one build share. */
export interface BuildRun {
  builder: BuilderOptions;
  cache: BuildCache;
  options: BuildOptions;
  source: Source;
  escape: string;
  /** The build's own directory; gone when it ends. */
  directory: string;
  context: SourceTree;
  emit: Emit;
  signal: AbortSignal;
  /** `use` with the tree that `--from` names. */
  withTree<T>(from: string, use: (tree: SourceTree) => Promise<T>): Promise<T>;
  /** ARGs before the first FROM; a bare `ARG name` takes its value from there. */
  globalArgs: ReadonlyMap<string, string>;
  usedArgs: Set<string>;
  /** Layers that this build stands on: a prune leaves them. */
  kept: Set<string>;
}

/** Takes one instruction: from the cache where its key is known, else by doing it. `silent`: its result is not named. */
export async function takeStep(run: BuildRun, stage: StageState, instruction: Instruction, options: { silent?: boolean } = {}): Promise<void> {
  const step = parseStep(run, stage, instruction);
  const from = step.change?.kind === 'copy' ? step.change.from : undefined;
  const take = (tree: SourceTree): Promise<void> => takeParsed(run, stage, step, tree);
  await (from === undefined ? take(run.context) : run.withTree(from, take));
  if (instruction.keyword === 'cmd' && instruction.args !== '') stage.setCmd = true;
  if (!options.silent) run.emit({ stream: ` ---> ${stage.key.slice(0, 12)}\n` });
}

/** `tree` is what a copy takes from. */
async function takeParsed(run: BuildRun, stage: StageState, step: Step, tree: SourceTree): Promise<void> {
  // what ARG declares counts; what needs no ARG is only passed on
  const args = step.change?.kind === 'run' ? visibleArgs(stage) : [];
  const prepared = await prepare(run, stage, step, args, tree);
  let hit = run.options.noCache ? undefined : await run.cache.find(prepared.key);
  if (hit?.layer && hit.layer.parent !== stage.chain) hit = undefined;
  if (hit) run.emit({ stream: ' ---> Using cache\n' });
  if (hit?.layer) run.kept.add(hit.layer.chain);
  const layer = hit ? hit.layer : await perform(run, stage, step, prepared, args);
  // the time a step was first taken goes with it, so that a build from the cache gives the very same image
  const entry = hit ?? (await run.cache.save(prepared.key, step.instruction.original, layer));
  stage.key = prepared.key;
  step.configure?.(stage.config);
  recordStep(stage, historyText(step, args, prepared.copy), isoTime(entry.createdAt), layer);
}

function parseStep(run: BuildRun, stage: StageState, instruction: Instruction): Step {
  const kind = kindOf.get(instruction.keyword);
  if (!kind) throw new Fault('internal', `no instruction ${instruction.keyword}`);
  const context: StepContext = {
    config: stage.config,
    args: stage.args,
    escape: run.escape,
    source: run.source,
    keywords,
    stageSetCmd: stage.setCmd,
    declareArg(name, fallback) {
      run.usedArgs.add(name);
      const value = run.options.buildArgs[name] ?? fallback ?? run.globalArgs.get(name) ?? stage.args.get(name);
      if (value !== undefined) stage.args.set(name, value);
    },
  };
  return at(run.source, instruction, () => kind.step(instruction, context));
}

/** The arguments that RUN sees as environment: those in scope that ENV does not hide. */
function visibleArgs(stage: StageState): string[] {
  const env = envMap(stage.config);
  return [...stage.args].filter(([name]) => !env.has(name)).map(([name, value]) => `${name}=${value}`);
}

/** The predefined arguments that were given and that neither ARG nor ENV names. */
function predefinedGiven(run: BuildRun, stage: StageState): string[] {
  const env = envMap(stage.config);
  return Object.entries(run.options.buildArgs).flatMap(([name, value]) =>
    value !== null && predefinedArgs.has(name) && !stage.args.has(name) && !env.has(name) ? [`${name}=${value}`] : [],
  );
}

/** The history entry's text, as classic Docker writes it. */
function historyText(step: Step, args: readonly string[], copy: CopyPlan | undefined): string {
  if (copy) return `${step.createdBy} ${describeSources(copy)} in ${copy.change.written} `;
  return args.length > 0 ? `|${args.length} ${args.join(' ')} ${step.createdBy}` : step.createdBy;
}

interface Prepared {
  key: string;
  copy?: CopyPlan;
}

/** The step's cache key; for a copy, with what it found. */
async function prepare(run: BuildRun, stage: StageState, step: Step, args: readonly string[], tree: SourceTree): Promise<Prepared> {
  const { change, instruction } = step;
  if (!change) return { key: cacheKey(stage.key, instruction.keyword, step.createdBy) };
  switch (change.kind) {
    case 'run': {
      return { key: cacheKey(stage.key, 'run', change.args, change.network, change.input ?? '', await mountKeys(run, change), args) };
    }
    case 'workdir':
      return { key: cacheKey(stage.key, 'workdir', change.path) };
    case 'copy': {
      const copy = await planCopy(change, tree, join(run.directory, 'downloads'), run.signal);
      return { key: cacheKey(stage.key, 'copy', change.add, change.target, change.chown, change.chmod, change.exclude, copy.digests), copy };
    }
  }
}

async function mountKeys(run: BuildRun, change: Change & { kind: 'run' }): Promise<unknown[]> {
  const keys: unknown[] = [];
  for (const mount of change.mounts) {
    if (mount.type !== 'bind') {
      keys.push([mount.type, mount.target]);
      continue;
    }
    const digest = await withMountSource(run, mount, (tree, item) => contentDigest(tree, item));
    keys.push(['bind', mount.target, digest]);
  }
  return keys;
}

function withMountSource<T>(run: BuildRun, mount: { from?: string; source?: string }, use: (tree: SourceTree, item: SourceItem) => Promise<T>): Promise<T> {
  const inTree = async (tree: SourceTree): Promise<T> => {
    const [item] = await findSources(tree, mount.source ?? '/');
    if (!item) throw new Fault('invalid', `RUN --mount: no ${mount.source} to mount`);
    return use(tree, item);
  };
  return mount.from === undefined ? inTree(run.context) : run.withTree(mount.from, inTree);
}

/** Does the step on a snapshot of its own and makes a layer of it; undefined where it changes no file. */
async function perform(run: BuildRun, stage: StageState, step: Step, prepared: Prepared, args: readonly string[]): Promise<CachedLayer | undefined> {
  const { change } = step;
  if (!change) return undefined;
  const id = runId(run.builder);
  return marked(run.builder.root, id, () => performOn(id, run, stage, change, prepared.copy, args));
}

async function performOn(id: string, run: BuildRun, stage: StageState, change: Change, copy: CopyPlan | undefined, args: readonly string[]): Promise<CachedLayer | undefined> {
  const { snapshots, log } = run.builder;
  await snapshots.create(id, stage.chain);
  try {
    const root = await snapshots.mount(id);
    if (change.kind === 'run') await performRun(run, stage, change, id, root, args);
    else if (change.kind === 'workdir') {
      if (!(await needsDirectory(root, change.path))) return undefined;
      await performWorkdir(root, change.path, stage.config.config?.User ?? '', run.builder.files);
    } else if (copy) {
      await performCopy(copy, root, run.builder.files, run.signal);
    }
    if ((await snapshots.changes(id)).length === 0) return undefined;
    await snapshots.unmount(id);
    const { chain, diffId, descriptor } = await snapshots.commit(id);
    run.kept.add(chain);
    return { parent: stage.chain, chain, diffId, descriptor };
  } finally {
    await snapshots.remove(id).catch((error: unknown) => log.warn('cannot remove a build snapshot', { id, error }));
  }
}

async function performRun(run: BuildRun, stage: StageState, change: Change & { kind: 'run' }, id: string, root: string, args: readonly string[]): Promise<void> {
  run.emit({ stream: ` ---> Running in ${id.slice(0, 12)}\n` });
  const go = (rest: typeof change.mounts, mounts: MountSpec[]): Promise<void> => {
    const [mount, ...others] = rest;
    if (!mount) {
      return runCommand(run.builder, id, { change, config: stage.config, args: [...args, ...predefinedGiven(run, stage)], root, options: run.options, mounts, emit: run.emit, signal: run.signal });
    }
    if (mount.type === 'bind') {
      return withMountSource(run, mount, (_tree, item) => go(others, [...mounts, bindMount(item.path, mount.target, mount.readonly)]));
    }
    if (mount.type === 'tmpfs') {
      const size = mount.size ? [`size=${mount.size}`] : [];
      return go(others, [...mounts, { type: 'tmpfs', source: 'tmpfs', target: mount.target, options: ['nosuid', 'nodev', ...size] }]);
    }
    return cacheMount(run, mount).then((path) => go(others, [...mounts, bindMount(path, mount.target, mount.readonly)]));
  };
  await go(change.mounts, []);
  run.emit({ stream: `Removing intermediate container ${id.slice(0, 12)}\n` });
}

function bindMount(source: string, target: string, readonly: boolean): MountSpec {
  return { type: 'bind', source, target, options: ['rbind', 'rprivate', readonly ? 'ro' : 'rw'] };
}

/** A directory that stays from build to build, named by the mount's id (default: its target). */
async function cacheMount(run: BuildRun, mount: { id?: string; target: string; mode?: number }): Promise<string> {
  const name = cacheKey('cache-mount', mount.id ?? mount.target);
  const path = join(run.builder.root, 'cache-mounts', name);
  await mkdir(path, { recursive: true, mode: mount.mode ?? 0o755 });
  return path;
}

import { join } from 'node:path';
import type { BuildOptions } from '#api/docker/build.ts';
import type { ImageConfig } from '#api/oci/image.ts';
import { hostPlatform, matches, parsePlatform, platformOf } from '#core/images/platform.ts';
import type { Image, RegistryAuth } from '#core/images/types.ts';
import type { ChainId } from '#core/snapshots/types.ts';
import { isoTime } from '#lib/clock.ts';
import { Fault, isFault } from '#lib/errors.ts';
import { receiveContext, type Context } from '../context/receive.ts';
import type { SourceTree } from '../context/tree.ts';
import { parseDockerfile } from '../dockerfile/parse.ts';
import { heredocKeywords, keywords } from '../dockerfile/instructions/index.ts';
import { findStage, fromReferences, predefinedArgs, readDockerfile, targetStage, type StagedDockerfile } from '../dockerfile/stages.ts';
import { at, didYouMean, instructionFault } from '../dockerfile/errors.ts';
import type { Instruction, Stage } from '../dockerfile/types.ts';
import { buildLimits } from '../types.ts';
import { emptyStage, stageOn, type StageState } from './stage.ts';
import { takeStep, type BuildRun } from './steps.ts';

/** The stages that `target` needs, in order: it, its bases, and those that it copies from. */
export function neededStages(stages: readonly Stage[], target: Stage): Stage[] {
  const needed = new Set<Stage>();
  const visit = (stage: Stage): void => {
    if (needed.has(stage)) return;
    const references = [stage.base, ...stage.instructions.flatMap(fromReferences)];
    for (const reference of references) {
      const found = findStage(stages, reference, stage.index);
      if (found) visit(found);
    }
    needed.add(stage);
  };
  visit(target);
  return [...needed].sort((a, b) => a.index - b.index);
}

/** A build once its context is here: stages in order, then the image. Returns the image. */
export class Build {
  readonly #run: BuildRun;
  readonly #file: StagedDockerfile;
  readonly #built = new Map<Stage, StageState>();
  #step = 0;
  #steps = 0;

  constructor(run: Omit<BuildRun, 'source' | 'escape' | 'withTree' | 'usedArgs' | 'globalArgs' | 'context'>, context: Context) {
    this.#file = readDockerfile(context.dockerfile, run.options.dockerfile, run.options.buildArgs);
    this.#run = {
      ...run,
      context: context.tree,
      source: this.#file.source,
      escape: this.#file.directives.escape ?? '\\',
      globalArgs: this.#file.globalArgs,
      usedArgs: new Set(this.#file.globalArgs.keys()),
      withTree: (from, use) => this.#withTree(from, use),
    };
  }

  async execute(): Promise<Image> {
    const { options, emit, signal } = this.#run;
    const target = targetStage(this.#file.stages, options.target || undefined);
    const stages = neededStages(this.#file.stages, target);
    this.#steps = stages.reduce((sum, stage) => sum + 1 + stage.instructions.length, this.#file.globals.length);
    if (this.#steps > buildLimits.steps) throw new Fault('too-large', `the Dockerfile has ${this.#steps} steps; the limit is ${buildLimits.steps}`);
    if (options.cacheFrom.length > 0) emit({ stream: `[Warning] --cache-from ${options.cacheFrom.join(' ')}: steps are taken from this builder's own cache alone\n` });
    for (const warning of this.#file.warnings) emit({ stream: `${warning}\n` });
    for (const instruction of this.#file.globals) this.#announce(instruction);
    for (const stage of stages) {
      signal.throwIfAborted();
      this.#built.set(stage, await this.#buildStage(stage));
    }
    const state = this.#built.get(target);
    if (!state) throw new Fault('internal', 'the target stage was not built');
    this.#warnUnused();
    const image = await this.#finish(state);
    emit({ aux: { ID: image.id } });
    emit({ stream: `Successfully built ${image.id.slice(7, 19)}\n` });
    for (const tag of options.tags) emit({ stream: `Successfully tagged ${tag.includes(':') && !/\/[^:]*$/.test(tag.slice(tag.lastIndexOf(':'))) ? tag : `${tag}:latest`}\n` });
    return image;
  }

  async #buildStage(stage: Stage): Promise<StageState> {
    this.#announce(stage.from);
    const { state, id, triggers } = await this.#base(stage);
    this.#run.kept.add(state.chain);
    if (triggers.length === 0) this.#run.emit({ stream: ` ---> ${id}\n` });
    for (const trigger of triggers) await takeStep(this.#run, state, trigger, { silent: trigger !== triggers.at(-1) });
    for (const instruction of stage.instructions) {
      this.#run.signal.throwIfAborted();
      this.#announce(instruction);
      await takeStep(this.#run, state, instruction);
    }
    return state;
  }

  #announce(instruction: Instruction): void {
    this.#step++;
    this.#run.emit({ stream: `Step ${this.#step}/${this.#steps} : ${instruction.original}` });
    this.#run.emit({ stream: '\n' });
  }

  async #base(stage: Stage): Promise<{ state: StageState; id: string; triggers: Instruction[] }> {
    const earlier = findStage(this.#file.stages, stage.base, stage.index);
    const built = earlier && this.#built.get(earlier);
    if (built) return { state: stageOn(built), id: built.key.slice(0, 12), triggers: [] };
    if (stage.base === 'scratch') return { state: this.#scratch(), id: '', triggers: [] };
    const image = await this.#image(stage.base, stage.platform).catch((error: unknown) => at(this.#file.source, stage.from, (): never => { throw error; }));
    const state = stageOn({ config: image.config, layers: image.layers, chain: image.chain, key: image.id });
    const container = (state.config.config ??= {});
    const triggers = (container.OnBuild ?? []).map((text) => this.#trigger(text, stage));
    container.OnBuild = null;
    container.Image = image.id;
    if (triggers.length > 0) this.#run.emit({ stream: `# Executing ${triggers.length} build trigger${triggers.length > 1 ? 's' : ''}\n` });
    return { state, id: image.id.slice(7, 19), triggers };
  }

  #scratch(): StageState {
    return emptyStage(hostPlatform().architecture);
  }

  #trigger(text: string, stage: Stage): Instruction {
    const [parsed] = parseDockerfile(text, { name: 'ONBUILD trigger', keywords, heredocKeywords }).instructions;
    if (!parsed) throw new Fault('invalid', `the base image has an empty ONBUILD trigger`);
    return { ...parsed, line: stage.from.line };
  }

  /** The image from here, or pulled where it is missing or `--pull` asks for a newer one. */
  async #image(reference: string, platform: string | undefined): Promise<Image> {
    const { builder, options, emit, signal } = this.#run;
    const here = builder.images.get(reference);
    const wanted = platform || options.platform ? parsePlatform(platform ?? options.platform) : undefined;
    if (here && !options.pull && (!wanted || matches(wanted, platformOf(here.config)))) return here;
    try {
      const auth = registryAuth(options, reference);
      const onProgress = (event: { layer?: string; status: string }): void => {
        if (['Pull complete', 'Already exists'].includes(event.status)) emit({ status: event.status, id: event.layer?.slice(7, 19) });
      };
      const pulled = await builder.images.pull(reference, { ...(wanted ? { platform: wanted } : {}), auth, onProgress, signal });
      return pulled.image;
    } catch (error) {
      if (isFault(error) && here === undefined) throw new Fault(error.kind, error.message, { cause: error, details: error.details });
      throw error;
    }
  }

  async #withTree<T>(from: string, use: (tree: SourceTree) => Promise<T>): Promise<T> {
    const stage = findStage(this.#file.stages, from, this.#file.stages.length);
    const built = stage && this.#built.get(stage);
    if (stage && !built) throw new Fault('invalid', `invalid from flag value ${from}: a stage can copy only from stages before it`);
    if (!built && /^\d+$/.test(from)) throw new Fault('invalid', `invalid from flag value ${from}: index out of bounds: there is no stage ${from} before this one`);
    const chain: ChainId = built ? built.chain : (await this.#image(from, undefined).catch((error: unknown) => this.#noSource(from, error))).chain;
    return this.#run.builder.snapshots.view(chain, (root) => use({ root, keepOwners: true, from }));
  }

  /** The image that `--from` names cannot be had: it may be a stage's name with a typo. */
  #noSource(from: string, error: unknown): never {
    const { stages, source } = this.#file;
    const guess = didYouMean(from, stages.flatMap((s) => s.name ?? []));
    const asked = stages.flatMap((s) => s.instructions).find((i) => fromReferences(i).includes(from));
    if (guess === '' || !asked || !isFault(error)) throw error;
    throw instructionFault(source, asked, `no stage is named ${from}${guess}, and as an image it cannot be had: ${error.message}`, from);
  }

  #warnUnused(): void {
    const unused = Object.keys(this.#run.options.buildArgs).filter((name) => !this.#run.usedArgs.has(name) && !predefinedArgs.has(name));
    if (unused.length > 0) this.#run.emit({ stream: `[Warning] One or more build-args [${unused.join(' ')}] were not consumed\n` });
  }

  async #finish(state: StageState): Promise<Image> {
    const { builder, options } = this.#run;
    const config: ImageConfig = structuredClone(state.config);
    const labels = { ...config.config?.Labels, ...options.labels };
    if (Object.keys(labels).length > 0) (config.config ??= {}).Labels = labels;
    config.created = config.history?.at(-1)?.created ?? config.created ?? isoTime(builder.clock.now());
    return builder.images.assemble(config, state.layers, options.tags);
  }
}

function registryAuth(options: BuildOptions, reference: string): RegistryAuth | undefined {
  const first = reference.split('/')[0] ?? '';
  const host = reference.includes('/') && /[.:]|^localhost$/.test(first) ? first : 'https://index.docker.io/v1/';
  const found = options.registryAuth[host] ?? options.registryAuth[host === first ? `https://${host}` : 'docker.io'];
  return found && { username: found.username, password: found.password, identityToken: found.identitytoken, registryToken: found.registrytoken };
}

/** Receives the context and runs the build in a directory that is gone afterwards. */
export async function buildFrom(run: ConstructorParameters<typeof Build>[0], archive: Parameters<typeof receiveContext>[0]): Promise<Image> {
  const context = await receiveContext(archive, join(run.directory, 'context'), run.options.dockerfile, run.builder.files, run.signal);
  try {
    return await new Build(run, context).execute();
  } finally {
    await context.remove();
  }
}

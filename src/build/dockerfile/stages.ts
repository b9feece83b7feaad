import { Fault } from '#lib/errors.ts';
import { at, didYouMean, dockerfileFault, instructionFault } from './errors.ts';
import { expandWord, splitWords } from './expand.ts';
import { heredocKeywords, keywords, kindOf } from './instructions/index.ts';
import { jsonForm, parseDockerfile } from './parse.ts';
import type { Dockerfile, Instruction, Stage, StepContext } from './types.ts';

export interface StagedDockerfile extends Dockerfile {
  stages: readonly Stage[];
  /** ARGs before the first FROM, with the values that count in FROM lines. */
  globalArgs: ReadonlyMap<string, string>;
  /** Those ARG instructions themselves: the build counts them as steps. */
  globals: readonly Instruction[];
}

/** Build arguments that need no ARG line; they stay out of history and cache keys. */
export const predefinedArgs: ReadonlySet<string> = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
);

/** Parses a Dockerfile and cuts it into stages. Faults: `invalid`, with file, line and caret. */
export function readDockerfile(text: string, name: string, buildArgs: Readonly<Record<string, string | null>>): StagedDockerfile {
  const parsed = parseDockerfile(text, { name, keywords, heredocKeywords });
  const globalArgs = new Map<string, string>();
  const globals: Instruction[] = [];
  const escape = parsed.directives.escape ?? '\\';
  const stages: { from: Instruction; instructions: Instruction[] }[] = [];
  for (const instruction of parsed.instructions) {
    checkForm(parsed, instruction, escape);
    if (instruction.keyword === 'from') stages.push({ from: instruction, instructions: [] });
    else if (stages.length > 0) stages.at(-1)?.instructions.push(instruction);
    else if (instruction.keyword === 'arg') {
      globals.push(instruction);
      declareGlobals(instruction, globalArgs, buildArgs, escape);
    }
    else throw instructionFault(parsed.source, instruction, 'no build stage in current context: the first instruction must be FROM (only ARG may come before it)');
  }
  if (stages.length === 0) throw dockerfileFault(parsed.source, parsed.source.lines.length, 'no build stage: there is no FROM line');
  const built = stages.map(({ from, instructions }, index) => stageOf(parsed, from, instructions, index, globalArgs, escape));
  checkNames(parsed, built);
  return { ...parsed, stages: built, globalArgs, globals };
}

/** Everything that can be refused before the first step is taken. */
function checkForm(file: Dockerfile, instruction: Instruction, escape: string): void {
  checkFlags(file, instruction);
  const kind = kindOf.get(instruction.keyword);
  if (instruction.args === '' && kind && !kind.argsOptional) {
    throw instructionFault(file.source, instruction, `${instruction.keyword.toUpperCase()} requires ${kind.single ? 'exactly' : 'at least'} one argument`);
  }
  at(file.source, instruction, () => {
    if (kind?.json) jsonForm(instruction.args);
    const around = { source: file.source, escape, keywords };
    kind?.check?.(instruction, around);
    // without variables all is known now, but what an image brings
    if (kind && !usesVariables(instruction)) kind.step(instruction, { ...nothingSet, ...around });
  });
}

const nothingSet: Pick<StepContext, 'config' | 'args' | 'stageSetCmd' | 'declareArg'> = {
  config: { architecture: '', os: '', rootfs: { type: 'layers', diff_ids: [] } },
  args: new Map(),
  stageSetCmd: false,
  declareArg: () => {},
};

function usesVariables({ args, flags, heredocs }: Instruction): boolean {
  return [args, ...flags.map((f) => f.value), ...heredocs.map((h) => h.body)].some((text) => text.includes('$'));
}

function checkFlags(file: Dockerfile, instruction: Instruction): void {
  const known = instruction.keyword === 'from' ? ['platform'] : (kindOf.get(instruction.keyword)?.flags ?? []);
  const unknown = instruction.flags.find((f) => !known.includes(f.name));
  if (!unknown) return;
  throw instructionFault(file.source, instruction, `unknown flag: --${unknown.name}${didYouMean(unknown.name, known, '--')}`, `--${unknown.name}`);
}

function declareGlobals(instruction: Instruction, into: Map<string, string>, given: Readonly<Record<string, string | null>>, escape: string): void {
  for (const word of splitWords(instruction.args, escape)) {
    const at = word.indexOf('=');
    const name = at < 0 ? word : word.slice(0, at);
    const value = given[name] ?? (at < 0 ? undefined : expandWord(word.slice(at + 1), (n) => into.get(n), escape));
    if (value !== undefined) into.set(name, value);
  }
}

function stageOf(file: Dockerfile, from: Instruction, instructions: Instruction[], index: number, args: ReadonlyMap<string, string>, escape: string): Stage {
  const words = from.args.split(/\s+/).map((w) => at(file.source, from, () => expandWord(w, (n) => args.get(n), escape)));
  const [base, as, name] = words;
  const named = words.length === 3 && as?.toLowerCase() === 'as';
  if (from.args === '' || (words.length !== 1 && !named)) throw instructionFault(file.source, from, 'FROM requires either one or three arguments: FROM image [AS name]');
  if (!base) throw instructionFault(file.source, from, `base name (${from.args}) should not be blank: the ARG in it has no value; give it a default or pass --build-arg`);
  if (named && !/^[a-z][a-z0-9_.-]*$/i.test(name ?? '')) throw instructionFault(file.source, from, `invalid name for build stage: ${JSON.stringify(name)}, name can't start with a number or contain symbols`, name);
  const platform = from.flags.find((f) => f.name === 'platform')?.value;
  return {
    index,
    base,
    from,
    instructions,
    name: named ? name?.toLowerCase() : undefined,
    platform: platform === undefined ? undefined : expandWord(platform, (n) => args.get(n), escape),
  };
}

function checkNames(file: Dockerfile, stages: readonly Stage[]): void {
  const seen = new Set<string>();
  for (const stage of stages) {
    if (stage.name === undefined) continue;
    if (seen.has(stage.name)) throw instructionFault(file.source, stage.from, `duplicate name ${stage.name}`, stage.from.args.split(/\s+/).at(-1));
    seen.add(stage.name);
  }
  for (const stage of stages) for (const instruction of stage.instructions) for (const name of fromReferences(instruction)) checkFrom(file, stages, stage, instruction, name);
}

/** The stages or images that an instruction takes files from, as they are written. */
export function fromReferences(instruction: Instruction): string[] {
  return instruction.flags.flatMap((flag) => {
    if (flag.name === 'from') return [flag.value];
    const match = flag.name === 'mount' ? /(?:^|,)from=([^,]+)/.exec(flag.value) : null;
    return match?.[1] ? [match[1]] : [];
  });
}

/** A stage can take only from those before it; what names none is an image. */
function checkFrom(file: Dockerfile, stages: readonly Stage[], stage: Stage, instruction: Instruction, name: string): void {
  if (findStage(stages, name, stage.index)) return;
  const refuse = (why: string): Fault => instructionFault(file.source, instruction, `invalid from flag value ${name}: ${why}`, `from=${name}`);
  if (name === '') throw refuse('it names no stage and no image');
  if (/^\d+$/.test(name)) throw refuse(`index out of bounds: there is no stage ${name} before this one`);
  if (findStage(stages, name, stages.length)) throw refuse('a stage can copy only from stages before it');
}

/** The stage that `reference` names before stage `before`, by name or number. */
export function findStage(stages: readonly Stage[], reference: string, before: number): Stage | undefined {
  const earlier = stages.slice(0, before);
  const byName = earlier.findLast((s) => s.name === reference.toLowerCase());
  if (byName) return byName;
  return /^\d+$/.test(reference) ? earlier[Number(reference)] : undefined;
}

/** The stage to build: `target`, or the last. */
export function targetStage(stages: readonly Stage[], target: string | undefined): Stage {
  const stage = target ? findStage(stages, target, stages.length) : stages.at(-1);
  if (stage) return stage;
  throw new Fault('invalid', `failed to reach build target ${target} in Dockerfile${didYouMean(target ?? '', stages.flatMap((s) => s.name ?? []))}`);
}

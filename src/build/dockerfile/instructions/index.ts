/** The Dockerfile language: one value an instruction. FROM opens a stage and is read in `../stages.ts`. */
import type { InstructionKind } from '../types.ts';
import { arg } from './arg.ts';
import { cmd, entrypoint } from './command.ts';
import { add, copy } from './copy.ts';
import { env } from './env.ts';
import { expose } from './expose.ts';
import { healthcheck } from './healthcheck.ts';
import { label } from './label.ts';
import { maintainer } from './maintainer.ts';
import { onbuild } from './onbuild.ts';
import { run } from './run.ts';
import { shell } from './shell.ts';
import { stopsignal } from './stopsignal.ts';
import { user } from './user.ts';
import { volume } from './volume.ts';
import { workdir } from './workdir.ts';

export const instructionKinds: readonly InstructionKind[] = [
  run, copy, add, env, arg, workdir, user, label, expose, volume, cmd, entrypoint, shell, healthcheck, stopsignal, onbuild, maintainer,
];

export const kindOf: ReadonlyMap<string, InstructionKind> = new Map(instructionKinds.map((k) => [k.keyword, k]));
export const keywords: ReadonlySet<string> = new Set(['from', ...kindOf.keys()]);
export const heredocKeywords: ReadonlySet<string> = new Set(instructionKinds.filter((k) => k.heredocs).map((k) => k.keyword));

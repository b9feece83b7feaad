import { posix } from 'node:path';
import type { InstructionKind } from '../types.ts';
import { absolutePath, configStep, expand, requireArgs } from './shared.ts';

export const workdir: InstructionKind = {
  keyword: 'workdir',
  step(instruction, context) {
    requireArgs(instruction, context);
    const path = posix.normalize(absolutePath(expand(instruction.args, context), context.config)).replace(/(.)\/$/, '$1');
    const step = configStep(instruction, context, `WORKDIR ${path}`, (config) => {
      config.WorkingDir = path;
    });
    return { ...step, change: { kind: 'workdir', path } };
  },
};

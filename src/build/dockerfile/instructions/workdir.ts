import { posix } from 'node:path';
import type { InstructionKind } from '../types.ts';
import { absolutePath, containerConfig, expand, shellOf } from './shared.ts';

export const workdir: InstructionKind = {
  keyword: 'workdir',
  single: true,
  step(instruction, context) {
    const path = posix.normalize(absolutePath(expand(instruction.args, context), context.config)).replace(/(.)\/$/, '$1');
    return {
      instruction,
      createdBy: `${shellOf(context.config).join(' ')} #(nop) WORKDIR ${path}`,
      change: { kind: 'workdir', path },
      configure: (config) => {
        containerConfig(config).WorkingDir = path;
      },
    };
  },
};

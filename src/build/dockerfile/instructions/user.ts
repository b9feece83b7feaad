import type { InstructionKind } from '../types.ts';
import { configStep, expand, requireArgs } from './shared.ts';

export const user: InstructionKind = {
  keyword: 'user',
  step(instruction, context) {
    requireArgs(instruction, context);
    const name = expand(instruction.args, context);
    return configStep(instruction, context, `USER ${name}`, (config) => {
      config.User = name;
    });
  },
};

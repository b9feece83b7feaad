import type { InstructionKind } from '../types.ts';
import { configStep, expand } from './shared.ts';

export const user: InstructionKind = {
  keyword: 'user',
  single: true,
  step(instruction, context) {
    const name = expand(instruction.args, context);
    return configStep(instruction, context, `USER ${name}`, (config) => {
      config.User = name;
    });
  },
};

import type { InstructionKind } from '../types.ts';
import { configStep, requireArgs } from './shared.ts';

export const maintainer: InstructionKind = {
  keyword: 'maintainer',
  step(instruction, context) {
    requireArgs(instruction, context);
    const step = configStep(instruction, context, `MAINTAINER ${instruction.args}`, () => {});
    return {
      ...step,
      configure: (config) => {
        config.author = instruction.args;
      },
    };
  },
};

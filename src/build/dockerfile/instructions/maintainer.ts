import type { InstructionKind } from '../types.ts';
import { configStep } from './shared.ts';

export const maintainer: InstructionKind = {
  keyword: 'maintainer',
  single: true,
  step(instruction, context) {
    const step = configStep(instruction, context, `MAINTAINER ${instruction.args}`, () => {});
    return {
      ...step,
      configure: (config) => {
        config.author = instruction.args;
      },
    };
  },
};

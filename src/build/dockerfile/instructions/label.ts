import { splitWords } from '../expand.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, pairs, requireArgs } from './shared.ts';

export const label: InstructionKind = {
  keyword: 'label',
  step(instruction, context) {
    requireArgs(instruction, context);
    const set = pairs(instruction, context, splitWords(instruction.args, context.escape));
    return configStep(instruction, context, `LABEL ${set.map(([k, v]) => `${k}=${v}`).join(' ')}`, (config) => {
      config.Labels = { ...config.Labels, ...Object.fromEntries(set) };
    });
  },
};

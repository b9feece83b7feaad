import type { InstructionKind } from '../types.ts';
import { checkPairs, configStep, pairs } from './shared.ts';

export const label: InstructionKind = {
  keyword: 'label',
  check: checkPairs,
  step(instruction, context) {
    const set = pairs(instruction, context);
    return configStep(instruction, context, `LABEL ${set.map(([k, v]) => `${k}=${v}`).join(' ')}`, (config) => {
      config.Labels = { ...config.Labels, ...Object.fromEntries(set) };
    });
  },
};

import type { InstructionKind } from '../types.ts';
import { checkPairs, configStep, pairs } from './shared.ts';

export const env: InstructionKind = {
  keyword: 'env',
  check: checkPairs,
  step(instruction, context) {
    const set = pairs(instruction, context);
    return configStep(instruction, context, `ENV ${set.map(([k, v]) => `${k}=${v}`).join(' ')}`, (config) => {
      const entries = [...(config.Env ?? [])];
      for (const [name, value] of set) {
        const at = entries.findIndex((e) => e.startsWith(`${name}=`));
        if (at < 0) entries.push(`${name}=${value}`);
        else entries[at] = `${name}=${value}`;
      }
      config.Env = entries;
    });
  },
};

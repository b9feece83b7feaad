import { splitWords } from '../expand.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, pairs, requireArgs } from './shared.ts';

export const env: InstructionKind = {
  keyword: 'env',
  step(instruction, context) {
    requireArgs(instruction, context);
    const set = pairs(instruction, context, splitWords(instruction.args, context.escape));
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

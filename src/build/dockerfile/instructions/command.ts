import type { InstructionKind } from '../types.ts';
import { commandOf, configStep, goList } from './shared.ts';

export const cmd: InstructionKind = {
  keyword: 'cmd',
  json: true,
  argsOptional: true,
  step(instruction, context) {
    const command = commandOf(instruction, context);
    return configStep(instruction, context, `CMD ${goList(command)}`, (config) => {
      config.Cmd = command;
    });
  },
};

export const entrypoint: InstructionKind = {
  keyword: 'entrypoint',
  json: true,
  argsOptional: true,
  step(instruction, context) {
    const command = instruction.args === '' ? [] : commandOf(instruction, context);
    return configStep(instruction, context, `ENTRYPOINT ${goList(command)}`, (config) => {
      config.Entrypoint = command;
      // an inherited CMD belongs to the inherited ENTRYPOINT
      if (!context.stageSetCmd) config.Cmd = null;
    });
  },
};

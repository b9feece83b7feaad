import { didYouMean, instructionFault } from '../errors.ts';
import { jsonForm } from '../parse.ts';
import type { Instruction, InstructionKind, RunMount, StepContext } from '../types.ts';
import { expand, shellOf } from './shared.ts';

export const run: InstructionKind = {
  keyword: 'run',
  json: true,
  flags: ['mount', 'network', 'security'],
  heredocs: true,
  step(instruction, context) {
    const network = instruction.flags.findLast((f) => f.name === 'network')?.value ?? 'default';
    if (network !== 'default' && network !== 'none' && network !== 'host') {
      throw instructionFault(context.source, instruction, `unsupported network mode ${JSON.stringify(network)}: use default, none or host`);
    }
    const security = instruction.flags.find((f) => f.name === 'security')?.value;
    if (security !== undefined && security !== 'sandbox') {
      throw instructionFault(context.source, instruction, `RUN --security=${security} is not supported: only sandbox is`);
    }
    const mounts = instruction.flags.filter((f) => f.name === 'mount').map((f) => parseMount(f.value, instruction, context));
    const { args, input } = commandLine(instruction, context);
    return { instruction, createdBy: args.join(' '), change: { kind: 'run', args, network, input, mounts } };
  },
};

/** The command; a lone here-document is a script for the shell (or its own interpreter), else it is stdin. */
function commandLine(instruction: Instruction, context: StepContext): { args: string[]; input?: string } {
  const shell = shellOf(context.config);
  const heredoc = instruction.heredocs[0];
  if (!heredoc) return { args: jsonForm(instruction.args) ?? [...shell, instruction.args] };
  if (/^\d*<<-?["']?[\w.-]+["']?$/.test(instruction.args)) {
    if (!heredoc.body.startsWith('#!')) return { args: [...shell, heredoc.body] };
    const script = 'f=$(mktemp) && cat >"$f" && chmod +x "$f" && "$f"; code=$?; rm -f "$f"; exit $code';
    return { args: [...shell, script], input: heredoc.body };
  }
  // the shell itself reads here-documents: give it the text whole
  const bodies = instruction.heredocs.map((h) => `\n${h.body}${h.name}`).join('');
  return { args: [...shell, instruction.args + bodies + '\n'] };
}

const mountTypes = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const mountKeys = ['type', 'target', 'dst', 'destination', 'source', 'src', 'from', 'id', 'readonly', 'ro', 'rw', 'readwrite', 'size', 'mode', 'uid', 'gid', 'sharing'];

function parseMount(text: string, instruction: Instruction, context: StepContext): RunMount {
  const values = new Map<string, string>();
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const key = (at < 0 ? part : part.slice(0, at)).toLowerCase();
    if (!mountKeys.includes(key)) {
      throw instructionFault(context.source, instruction, `unexpected key '${key}' in '${part}'${didYouMean(key, mountKeys)}`, part);
    }
    values.set(key, at < 0 ? 'true' : expand(part.slice(at + 1), context));
  }
  const type = values.get('type') ?? 'bind';
  if (!mountTypes.includes(type)) throw instructionFault(context.source, instruction, `unsupported mount type ${JSON.stringify(type)}${didYouMean(type, mountTypes)}`, `type=${type}`);
  if (type !== 'bind' && type !== 'cache' && type !== 'tmpfs') {
    throw instructionFault(context.source, instruction, `RUN --mount=type=${type} needs BuildKit, which this builder is not: use bind, cache or tmpfs`);
  }
  const target = values.get('target') ?? values.get('dst') ?? values.get('destination');
  if (!target) throw instructionFault(context.source, instruction, 'RUN --mount needs target=');
  const number = (key: string, base: 8 | 10 = 10): number | undefined => {
    const text = values.get(key);
    if (text !== undefined && !(base === 8 ? /^0?[0-7]{1,4}$/ : /^\d{1,10}$/).test(text)) {
      throw instructionFault(context.source, instruction, `invalid value ${JSON.stringify(text)} for ${key} of RUN --mount: write ${base === 8 ? 'an octal mode, such as 0755' : 'a number'}`, `${key}=${text}`);
    }
    return text === undefined ? undefined : parseInt(text, base);
  };
  const on = (...keys: string[]): boolean | undefined => {
    const key = keys.find((k) => values.has(k));
    return key === undefined ? undefined : values.get(key) !== 'false';
  };
  const readonly = on('readonly', 'ro') ?? !(on('rw', 'readwrite') ?? type !== 'bind');
  const size = values.get('size');
  return {
    type,
    target,
    readonly,
    source: values.get('source') ?? values.get('src'),
    from: values.get('from'),
    id: values.get('id'),
    size: size === undefined ? undefined : bytesOf(size, instruction, context),
    mode: number('mode', 8),
    uid: number('uid'),
    gid: number('gid'),
  };
}

function bytesOf(text: string, instruction: Instruction, context: StepContext): number {
  const match = /^(\d+)([kmg]?)b?$/i.exec(text);
  if (!match) throw instructionFault(context.source, instruction, `invalid size ${JSON.stringify(text)}: write it as 64m`);
  return Number(match[1]) * 1024 ** ['', 'k', 'm', 'g'].indexOf((match[2] ?? '').toLowerCase());
}

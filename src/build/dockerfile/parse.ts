import type { Dockerfile, Heredoc, Instruction, Source } from './types.ts';
import { Fault } from '#lib/errors.ts';
import { didYouMean, dockerfileFault } from './errors.ts';

/** Bytes of a Dockerfile that are read at the most. */
export const dockerfileLimit = 1 << 20;

export interface ParseOptions {
  name?: string;
  /** Keywords of the language. */
  keywords: ReadonlySet<string>;
  /** Those whose arguments may hold here-documents. */
  heredocKeywords: ReadonlySet<string>;
}

/** Cuts a Dockerfile into instructions. Faults: `invalid`, with file, line and caret. */
export function parseDockerfile(text: string, options: ParseOptions): Dockerfile {
  const name = options.name ?? 'Dockerfile';
  if (text.length > dockerfileLimit) throw new Fault('too-large', `${name} is longer than ${dockerfileLimit} bytes`);
  const nul = text.indexOf('\0');
  if (nul >= 0) throw new Fault('invalid', `${name} is no text: line ${text.slice(0, nul).split('\n').length} has a NUL byte`);
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const source: Source = { name, lines };
  const { directives, next } = readDirectives(source);
  const escape = directives.escape ?? '\\';
  const instructions: Instruction[] = [];
  const warnings: string[] = [];
  let at = next;
  while (at < lines.length) {
    const line = lines[at] ?? '';
    if (line.trim() === '' || line.trimStart().startsWith('#')) {
      at++;
      continue;
    }
    const { instruction, next: after, emptyLine } = readInstruction(source, at, escape, options);
    instructions.push(instruction);
    if (emptyLine) warnings.push(`[WARNING]: Empty continuation line found in:\n    ${instruction.original}`);
    at = after;
  }
  if (instructions.length === 0) throw new Fault('invalid', `file with no instructions: ${name} is empty; it needs at least a FROM line`);
  return { directives, instructions, source, warnings };
}

/** `# name=value` lines at the very top; they end at the first line that is none. */
function readDirectives(source: Source): { directives: Record<string, string>; next: number } {
  const directives: Record<string, string> = {};
  let at = 0;
  for (; at < source.lines.length; at++) {
    const match = /^\s*#\s*([a-zA-Z][\w-]*)\s*=\s*(.*?)\s*$/.exec(source.lines[at] ?? '');
    const key = match?.[1]?.toLowerCase();
    if (!key || !['escape', 'syntax', 'check'].includes(key)) break;
    const value = match?.[2] ?? '';
    if (key in directives) throw dockerfileFault(source, at + 1, `only one ${key} parser directive can be used`);
    if (key === 'escape' && value !== '\\' && value !== '`') throw dockerfileFault(source, at + 1, `invalid escape token '${value}' does not match \` or \\`);
    directives[key] = value;
  }
  return { directives, next: at };
}

/** One instruction from line index `start`: continuation lines joined, comment lines in between dropped. */
function readInstruction(source: Source, start: number, escape: string, options: ParseOptions): { instruction: Instruction; next: number; emptyLine: boolean } {
  const pieces: string[] = [];
  let at = start;
  let emptyLine = false;
  for (; at < source.lines.length; at++) {
    const line = source.lines[at] ?? '';
    if (at > start && line.trimStart().startsWith('#')) continue;
    if (at > start && line.trim() === '') {
      emptyLine = at + 1 < source.lines.length;
      continue;
    }
    const continued = continuation(line, escape);
    pieces.push(continued ?? line);
    if (continued === undefined) break;
  }
  const joined = pieces.join('').trim();
  const match = /^(\S+)\s*([\s\S]*)$/.exec(joined);
  const word = match?.[1] ?? '';
  const keyword = word.toLowerCase();
  if (!options.keywords.has(keyword)) {
    throw dockerfileFault(source, start + 1, `unknown instruction: ${word}${didYouMean(word, [...options.keywords].map((k) => k.toUpperCase()))}`);
  }
  const { flags, rest } = readFlags(match?.[2] ?? '');
  let next = at + 1;
  const heredocs: Heredoc[] = [];
  if (options.heredocKeywords.has(keyword)) {
    for (const opening of heredocOpenings(rest)) {
      const read = readHeredoc(source, next, start + 1, opening);
      heredocs.push(read.heredoc);
      next = read.next;
    }
  }
  const args = rest.trim();
  return { instruction: { keyword, flags, args, heredocs, original: joined, line: start + 1, endLine: next }, next, emptyLine };
}

/** The line without its trailing escape character, or undefined if it does not go on. */
function continuation(line: string, escape: string): string | undefined {
  const trimmed = line.trimEnd();
  if (!trimmed.endsWith(escape)) return undefined;
  return trimmed.slice(0, -1);
}

function readFlags(text: string): { flags: { name: string; value: string }[]; rest: string } {
  const flags: { name: string; value: string }[] = [];
  let rest = text;
  for (;;) {
    const match = /^\s*--([a-z][a-z-]*)(?:=("[^"]*"|'[^']*'|\S*))?(?=\s|$)/.exec(rest);
    if (!match) break;
    flags.push({ name: match[1] ?? '', value: (match[2] ?? '').replace(/^(["'])(.*)\1$/, '$2') });
    rest = rest.slice(match[0].length);
  }
  return { flags, rest };
}

interface HeredocOpening {
  name: string;
  expand: boolean;
  stripTabs: boolean;
}

function heredocOpenings(text: string): HeredocOpening[] {
  return [...text.matchAll(/(?<![<\w])\d*<<(-?)(?:"([\w.-]+)"|'([\w.-]+)'|([A-Za-z_][\w.-]*))/g)].map((m) => ({
    name: m[2] ?? m[3] ?? m[4] ?? '',
    expand: m[4] !== undefined,
    stripTabs: m[1] === '-',
  }));
}

function readHeredoc(source: Source, start: number, openedAt: number, opening: HeredocOpening): { heredoc: Heredoc; next: number } {
  const body: string[] = [];
  for (let at = start; at < source.lines.length; at++) {
    const line = source.lines[at] ?? '';
    const shown = opening.stripTabs ? line.replace(/^\t+/, '') : line;
    if (shown === opening.name) {
      return { heredoc: { name: opening.name, body: body.map((l) => `${l}\n`).join(''), expand: opening.expand }, next: at + 1 };
    }
    body.push(shown);
  }
  throw dockerfileFault(source, openedAt, `unterminated heredoc: no line that is only ${opening.name}`);
}

/** The strings of a JSON array argument, or undefined where it is none (then it is in shell form). Fault `invalid` for an array of others. */
export function jsonForm(args: string): string[] | undefined {
  if (!args.startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(args);
  } catch {
    return undefined; // the reference says to read it in shell form
  }
  if (!Array.isArray(value)) return undefined;
  if (value.every((v) => typeof v === 'string')) return value as string[];
  throw new Fault('invalid', 'when using JSON array syntax, arrays must be comprised of strings only');
}

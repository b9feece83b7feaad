import { posix } from 'node:path';
import { Fault } from '#lib/errors.ts';

/**
 * Go's `filepath.Match` as a regular expression over a path with `/`: `*` and `?` stop at a slash, `[a-z]`,
 * `\` quotes; `**` stands for any number of directories (as in `.dockerignore`).
 */
export function globExpression(pattern: string): RegExp {
  let source = '';
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] ?? '';
    if (c === '*' && pattern[i + 1] === '*') {
      i++;
      const slash = pattern[i + 1] === '/';
      if (slash) i++;
      source += slash ? '(?:.*/)?' : '.*';
    } else if (c === '*') source += '[^/]*';
    else if (c === '?') source += '[^/]';
    else if (c === '\\') source += escaped(pattern[++i] ?? '\\');
    else if (c === '[') {
      const end = pattern.indexOf(']', i + 2);
      if (end < 0) throw new Fault('invalid', `syntax error in pattern: ${pattern}: a [ has no ]`);
      const set = pattern.slice(i + 1, end).replace(/\\(.)/g, '$1').replace(/[\\\]]/g, '\\$&');
      source += `[${set}]`;
      i = end;
    } else source += escaped(c);
  }
  return new RegExp(`^${source}$`);
}

function escaped(c: string): string {
  return c.replace(/[.+^${}()|[\]\\*?]/g, '\\$&');
}

export function hasGlob(path: string): boolean {
  return /[*?[]/.test(path);
}

/** The rules of a `.dockerignore`: later ones win, `!` brings back, a match of a parent directory counts. */
export class IgnoreRules {
  readonly #rules: readonly { expression: RegExp; back: boolean }[];

  constructor(lines: readonly string[]) {
    this.#rules = lines.map((line) => {
      const back = line.startsWith('!');
      return { back, expression: globExpression(cleaned(back ? line.slice(1) : line)) };
    });
  }

  /** From the text of the file. */
  static parse(text: string): IgnoreRules {
    const lines = text
      .replace(/^\uFEFF/, '')
      .split(/\r?\n/)
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.trim())
      .filter((line) => line !== '' && cleaned(line.replace(/^!/, '')) !== '');
    return new IgnoreRules(lines);
  }

  get empty(): boolean {
    return this.#rules.length === 0;
  }

  /** Whether `path` (relative, with `/`) is left out. */
  ignores(path: string): boolean {
    const parts = path.split('/');
    const candidates = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
    let ignored = false;
    for (const rule of this.#rules) {
      if (rule.back === ignored && candidates.some((c) => rule.expression.test(c))) ignored = !rule.back;
    }
    return ignored;
  }
}

function cleaned(pattern: string): string {
  const path = posix.normalize(pattern.trim()).replace(/^\/+/, '').replace(/\/+$/, '');
  return path === '.' ? '' : path;
}

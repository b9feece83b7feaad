import { Fault } from '#lib/errors.ts';

export type Lookup = (name: string) => string | undefined;

/**
 * Expands `$v`, `${v}` and its modifiers (`:-` `-` `:+` `+` `:?` `?` `#` `##` `%` `%%` `/` `//`) and removes
 * quotes and escapes, as the Dockerfile reference says of ENV, COPY and the like. Faults: `invalid`.
 */
export function expandWord(text: string, lookup: Lookup, escape = '\\'): string {
  return new Expander(text, lookup, escape).all();
}

/** Expands the variables of a text and leaves quotes as they are (here-documents). */
export function expandBody(text: string, lookup: Lookup, escape = '\\'): string {
  return new Expander(text, lookup, escape, true).all();
}

/** Cuts at blanks outside quotes; quotes and escapes stay. */
export function splitWords(text: string, escape = '\\'): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  let inside = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? '';
    if (c === escape && quote !== "'" && i + 1 < text.length) {
      word += c + (text[++i] ?? '');
      inside = true;
    } else if (quote) {
      word += c;
      if (c === quote) quote = '';
    } else if (c === '"' || c === "'") {
      quote = c;
      word += c;
      inside = true;
    } else if (/\s/.test(c)) {
      if (inside) words.push(word);
      word = '';
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (inside) words.push(word);
  return words;
}

class Expander {
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #escape: string;
  readonly #raw: boolean;
  #at = 0;

  constructor(text: string, lookup: Lookup, escape: string, raw = false) {
    this.#text = text;
    this.#lookup = lookup;
    this.#escape = escape;
    this.#raw = raw;
  }

  all(): string {
    return this.#until(() => false);
  }

  #until(end: (c: string) => boolean): string {
    let out = '';
    while (this.#at < this.#text.length) {
      const c = this.#text[this.#at] ?? '';
      if (end(c)) break;
      out += this.#piece(c);
    }
    return out;
  }

  #piece(c: string): string {
    if (c === '$') return this.#variable();
    if (c === this.#escape) {
      const next = this.#text[this.#at + 1] ?? '';
      this.#at += 2;
      return this.#raw && next !== '$' && next !== this.#escape ? c + next : next;
    }
    if (c === "'" && !this.#raw) return this.#single();
    if (c === '"' && !this.#raw) return this.#double();
    this.#at++;
    return c;
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw new Fault('invalid', `unexpected end of statement while looking for matching single-quote in: ${this.#text}`);
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inner;
  }

  #double(): string {
    this.#at++;
    let out = '';
    for (;;) {
      const c = this.#text[this.#at];
      if (c === undefined) throw new Fault('invalid', `unexpected end of statement while looking for matching double-quote in: ${this.#text}`);
      if (c === '"') break;
      if (c === '$') out += this.#variable();
      else if (c === this.#escape && /["$]|\\|`/.test(this.#text[this.#at + 1] ?? '')) {
        out += this.#text[this.#at + 1] ?? '';
        this.#at += 2;
      } else {
        out += c;
        this.#at++;
      }
    }
    this.#at++;
    return out;
  }

  #variable(): string {
    const rest = this.#text.slice(this.#at + 1);
    // a shell's special parameters are names too, which nothing sets
    const plain = /^(?:[A-Za-z_]\w*|\d|[@*#?$!-])/.exec(rest);
    if (plain) {
      this.#at += 1 + plain[0].length;
      return this.#lookup(plain[0]) ?? '';
    }
    if (!rest.startsWith('{')) {
      this.#at++;
      return '$';
    }
    const name = /^\{([A-Za-z_]\w*|\d+)/.exec(rest)?.[1];
    if (name === undefined) throw new Fault('invalid', `bad substitution in: ${this.#text}`);
    this.#at += 2 + name.length;
    const value = this.#modified(name);
    if (this.#text[this.#at] !== '}') throw new Fault('invalid', `syntax error: missing '}' in: ${this.#text}`);
    this.#at++;
    return value;
  }

  #modified(name: string): string {
    const value = this.#lookup(name);
    const operator = /^(:[-+?]|[-+?]|##|#|%%|%|\/\/|\/)/.exec(this.#text.slice(this.#at))?.[0];
    if (operator === undefined) return value ?? '';
    this.#at += operator.length;
    if (operator.startsWith('/')) return this.#replaced(value ?? '', operator === '//');
    const word = this.#until((c) => c === '}');
    const set = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
    switch (operator.at(-1)) {
      case '-':
        return set ? (value ?? '') : word;
      case '+':
        return set ? word : '';
      case '?':
        if (!set) throw new Fault('invalid', `${name}: ${word || 'is not set'}`);
        return value ?? '';
      case '#':
        return trimPattern(value ?? '', word, 'start', operator === '##');
      default:
        return trimPattern(value ?? '', word, 'end', operator === '%%');
    }
  }

  #replaced(value: string, all: boolean): string {
    const pattern = this.#until((c) => c === '/' || c === '}');
    let by = '';
    if (this.#text[this.#at] === '/') {
      this.#at++;
      by = this.#until((c) => c === '}');
    }
    return value.replace(new RegExp(globSource(pattern, true), all ? 'g' : ''), () => by);
  }
}

function trimPattern(value: string, glob: string, side: 'start' | 'end', longest: boolean): string {
  const lengths = Array.from({ length: value.length + 1 }, (_, i) => (longest ? value.length - i : i));
  const whole = new RegExp(`^${globSource(glob, true)}$`);
  for (const n of lengths) {
    const part = side === 'start' ? value.slice(0, n) : value.slice(value.length - n);
    if (whole.test(part)) return side === 'start' ? value.slice(n) : value.slice(0, value.length - n);
  }
  return value;
}

function globSource(glob: string, greedy: boolean): string {
  return glob.replace(/[.+^${}()|[\]\\]|\*|\?/g, (c) => (c === '*' ? (greedy ? '.*' : '.*?') : c === '?' ? '.' : `\\${c}`));
}

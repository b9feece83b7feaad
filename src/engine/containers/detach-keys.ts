/** Finds the keys that detach a client from a terminal (`ctrl-p,ctrl-q`) in what it types. */
import { Fault } from '#lib/errors.ts';

const defaultKeys = 'ctrl-p,ctrl-q';

/** Bytes of `ctrl-p,ctrl-q`: single characters, or `ctrl-` with a letter or one of @ [ \ ] ^ _. */
export function parseDetachKeys(text: string): number[] {
  return (text === '' ? defaultKeys : text).split(',').map((key) => {
    const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase();
    if (control !== undefined) {
      const code = '@abcdefghijklmnopqrstuvwxyz[\\]^_'.indexOf(control);
      if (code >= 0) return code;
    } else if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw new Fault('invalid', `Invalid detach keys (${text}) provided: unknown character: '${key}'`);
  });
}

export class DetachKeys {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(text: string) {
    this.#keys = parseDetachKeys(text);
  }

  /** What goes on to the process; bytes that may begin the keys are held back until the next one tells. */
  feed(data: Uint8Array): { forward: Uint8Array; detached: boolean } {
    const forward: number[] = [];
    for (const byte of data) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length) return { forward: Uint8Array.from(forward), detached: true };
        continue;
      }
      forward.push(...this.#keys.slice(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) forward.push(byte);
    }
    return { forward: Uint8Array.from(forward), detached: false };
  }
}

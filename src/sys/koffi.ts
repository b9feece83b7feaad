import { createRequire } from 'node:module';
import type koffi from 'koffi';

export type Koffi = typeof koffi;
/** An address that C code handed out; never followed here. */
export type Pointer = bigint;

let loaded: Koffi | undefined;

/** The foreign function library, loaded when the first call into C is made: a command that makes none starts quicker. */
export function loadKoffi(): Koffi {
  loaded ??= createRequire(import.meta.url)('koffi') as Koffi;
  return loaded;
}

import { Fault } from '../errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A name as text. Names that are not UTF-8 are refused: they could not be written back unchanged. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    const shown = Buffer.from(bytes).toString('latin1').slice(0, 80);
    throw new Fault('invalid', `tar: the name ${JSON.stringify(shown)} is not valid UTF-8; rename the file`);
  }
}

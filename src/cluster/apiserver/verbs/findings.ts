import type { FieldValidation } from '#api/kube/decode.ts';
import { strictDecodingError } from '#api/kube/decode.ts';
import { badRequest } from '../status.ts';

/** What strict decoding found becomes an error (what `refuse` makes of its text), warnings, or nothing. */
export function applyFindings(findings: readonly string[], { validation, warnings }: { validation: FieldValidation; warnings: string[] }, refuse: (text: string) => Error = badRequest): void {
  if (findings.length === 0 || validation === 'Ignore') return;
  if (validation === 'Strict') throw refuse(strictDecodingError(findings));
  warnings.push(...findings);
}

import type { FieldValidation } from '#api/kube/decode.ts';
import { strictDecodingError } from '#api/kube/decode.ts';
import { badRequest } from '../status.ts';

/** What strict decoding found becomes an error, warnings, or nothing. */
export function applyFindings(findings: readonly string[], { validation, warnings }: { validation: FieldValidation; warnings: string[] }): void {
  if (findings.length === 0 || validation === 'Ignore') return;
  if (validation === 'Strict') throw badRequest(strictDecodingError(findings));
  warnings.push(...findings);
}

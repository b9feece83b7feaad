import type { FieldError } from '#api/kube/field-errors.ts';
import type { KubeObject } from '#api/kube/types.ts';
import type { Core } from '../core.ts';
import { invalidObject } from '../status.ts';
import type { AdmissionRequest, Target } from '../types.ts';

export async function admit(core: Core, request: AdmissionRequest): Promise<void> {
  for (const step of core.admission) await step.admit(request);
}

export function refuseInvalid(target: Target, object: KubeObject, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidObject(target.resource, object.metadata.name ?? target.name, errors);
}

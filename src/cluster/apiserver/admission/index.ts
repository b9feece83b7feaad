import type { RbacAuthorizer } from '../authz/rbac.ts';
import type { Core } from '../core.ts';
import type { Cidr } from '../services/cidr.ts';
import type { AdmissionStep } from '../types.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';

export interface AdmissionTools {
  core: Core;
  authorizer: RbacAuthorizer;
  cidr: Cidr;
  nodePorts: { first: number; last: number };
}

/** The steps of admission, in their order. */
export function admissionSteps({ core }: AdmissionTools): AdmissionStep[] {
  return [namespaceLifecycle(core.resources, core.objects)];
}

import type { RbacAuthorizer } from '../authz/rbac.ts';
import type { Core } from '../core.ts';
import type { Cidr } from '../services/cidr.ts';
import type { AdmissionStep } from '../types.ts';
import { defaultTolerations, kubernetesTolerations, type TolerationSeconds } from './default-tolerations.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { priority } from './priority.ts';
import { rbacEscalation } from './rbac-escalation.ts';
import { serviceAccount } from './service-account.ts';
import { serviceAddresses } from './service-addresses.ts';

export interface AdmissionTools {
  core: Core;
  authorizer: RbacAuthorizer;
  cidr: Cidr;
  nodePorts: { first: number; last: number };
  /** Kubernetes' own where it is not given. */
  tolerations?: TolerationSeconds;
}

/** The steps of admission, in their order. */
export function admissionSteps({ core, authorizer, cidr, nodePorts, tolerations = kubernetesTolerations }: AdmissionTools): AdmissionStep[] {
  return [
    namespaceLifecycle(core.resources, core.objects),
    nodeRestriction(core),
    rbacEscalation(authorizer),
    serviceAccount(core),
    defaultTolerations(tolerations),
    priority(core),
    serviceAddresses(core, cidr, nodePorts),
  ];
}

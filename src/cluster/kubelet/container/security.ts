/** The security context of a container: its own settings over its pod's. */
import type { Container, Pod, SeccompProfile } from '#api/kube/types.ts';
import { combineCapabilities } from '#core/containers/capabilities.ts';
import type { ContainerSpec } from '#core/containers/types.ts';
import { Fault } from '#lib/errors.ts';

export interface ContainerSecurity {
  /** `uid[:gid]` for `resolveUser`; names come from the image. */
  user: string;
  additionalGids: number[];
  privileged: boolean;
  readonlyRootfs: boolean;
  noNewPrivileges: boolean;
  /** Undefined: Docker's default set. */
  capabilities: string[] | undefined;
  seccomp: ContainerSpec['seccomp'];
  unmaskedProc: boolean;
  mustNotBeRoot: boolean;
}

export function containerSecurity(pod: Pod, container: Container, imageUser: string): ContainerSecurity {
  const ofPod = pod.spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  const uid = own.runAsUser ?? ofPod.runAsUser;
  const gid = own.runAsGroup ?? ofPod.runAsGroup;
  const user = (uid === undefined ? imageUser : String(uid)) || '0';
  const additional = [...(ofPod.supplementalGroups ?? []), ...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup])];
  const privileged = own.privileged ?? false;
  const { add = [], drop = [] } = own.capabilities ?? {};
  return {
    user: gid === undefined ? user : `${user.split(':')[0]}:${gid}`,
    additionalGids: additional,
    privileged,
    readonlyRootfs: own.readOnlyRootFilesystem ?? false,
    noNewPrivileges: own.allowPrivilegeEscalation === false && !privileged,
    capabilities: add.length + drop.length > 0 ? combineCapabilities(add, drop) : undefined,
    // As in Kubernetes: without a profile a pod is unconfined by seccomp unless the node says otherwise; this node does.
    seccomp: seccompOf(own.seccompProfile ?? ofPod.seccompProfile),
    unmaskedProc: own.procMount === 'Unmasked',
    mustNotBeRoot: own.runAsNonRoot ?? ofPod.runAsNonRoot ?? false,
  };
}

function seccompOf(profile: SeccompProfile | undefined): ContainerSpec['seccomp'] {
  switch (profile?.type) {
    case undefined:
    case 'RuntimeDefault':
      return undefined;
    case 'Unconfined':
      return 'unconfined';
    default:
      throw new Fault('not-implemented', `seccompProfile type ${profile?.type} is not supported; use RuntimeDefault or Unconfined`);
  }
}

/** Refuses root where `runAsNonRoot` says so, in Kubernetes' words. */
export function checkNonRoot(security: ContainerSecurity, uid: number, imageUser: string): void {
  if (!security.mustNotBeRoot) return;
  const refuse = (why: string): Fault => new Fault('precondition', why, { details: { reason: 'CreateContainerConfigError' } });
  const named = security.user === imageUser && !/^\d*(:|$)/.test(imageUser);
  if (named) throw refuse(`container has runAsNonRoot and image has non-numeric user (${imageUser.split(':')[0]}), cannot verify user is non-root`);
  if (uid === 0) throw refuse('container has runAsNonRoot and image will run as root');
}

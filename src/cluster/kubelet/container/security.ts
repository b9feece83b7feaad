/** The security context of a container: its own settings over its pod's. */
import type { Container, Pod, SeccompProfile } from '#api/kube/types.ts';
import { combineCapabilities } from '#core/containers/capabilities.ts';
import { Fault } from '#lib/errors.ts';

/** Undefined: the built-in default; `localhost`: a file below the node's directory of profiles. */
export type SeccompChoice = 'unconfined' | { localhost: string } | undefined;

export interface ContainerSecurity {
  /** `uid[:gid]` for `resolveUser`; names come from the image. */
  user: string;
  /** In place of the primary group that the image's accounts give the user. */
  gid: number | undefined;
  /** The groups that the image's accounts give the user count, beside the pod's own. */
  mergesGroups: boolean;
  additionalGids: number[];
  privileged: boolean;
  readonlyRootfs: boolean;
  noNewPrivileges: boolean;
  /** Undefined: Docker's default set. */
  capabilities: string[] | undefined;
  seccomp: SeccompChoice;
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
    user: gid === undefined ? user : user.split(':')[0]!,
    gid,
    mergesGroups: ofPod.supplementalGroupsPolicy !== 'Strict',
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

function seccompOf(profile: SeccompProfile | undefined): SeccompChoice {
  switch (profile?.type) {
    case undefined:
    case 'RuntimeDefault':
      return undefined;
    case 'Unconfined':
      return 'unconfined';
    case 'Localhost':
      return { localhost: profile.localhostProfile ?? '' };
    default:
      throw new Fault('invalid', `seccompProfile type ${profile?.type} is unknown`);
  }
}

/** Refuses root where `runAsNonRoot` says so, in Kubernetes' words. */
export function checkNonRoot(security: ContainerSecurity, uid: number): void {
  if (!security.mustNotBeRoot) return;
  const refuse = (why: string): Fault => new Fault('precondition', why, { details: { reason: 'CreateContainerConfigError' } });
  // A number may come from the pod; a name is always the image's.
  const [user] = security.user.split(':');
  if (!/^\d+$/.test(user!)) throw refuse(`container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root`);
  if (uid === 0) throw refuse('container has runAsNonRoot and image will run as root');
}
